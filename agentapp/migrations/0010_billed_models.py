"""Which dearer model a server bills than it is asked for."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0009_tools"),
    ]

    operations = [
        migrations.AddField(
            model_name="provider",
            name="bills_as",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="for a model that was asked, the dearer one it bills",
            ),
        ),
    ]
