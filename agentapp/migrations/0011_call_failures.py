"""With what kind of trouble a request to a model server ended."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0010_billed_models"),
    ]

    operations = [
        migrations.AddField(
            model_name="llmcall",
            name="failure",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="what kind of trouble it ended with",
                max_length=16,
            ),
        ),
    ]
