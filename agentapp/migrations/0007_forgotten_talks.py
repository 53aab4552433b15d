"""Up to which message of a talk nothing may be remembered any more."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agentapp", "0006_logins_and_rooms")]
    operations = [
        migrations.AddField(
            model_name="talk",
            name="forgotten_through",
            field=models.BigIntegerField(
                default=0, help_text="up to here nothing may be remembered any more"
            ),
        ),
    ]
