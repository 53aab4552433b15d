"""Processes that share logins know of each other; a token is on this host only once."""

from __future__ import annotations

import django.contrib.postgres.fields
from django.db import migrations, models

import agentapp.foundation.clock


class Migration(migrations.Migration):
    dependencies = [("agentapp", "0013_doorways")]

    operations = [
        migrations.CreateModel(
            name="Runner",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=agentapp.foundation.clock.GreenroomNow(), editable=False
                    ),
                ),
                ("holder", models.CharField(max_length=80, primary_key=True, serialize=False)),
                (
                    "platforms",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), default=list, size=None
                    ),
                ),
                ("since", models.DateTimeField()),
                ("alive_until", models.DateTimeField()),
            ],
            options={"abstract": False},
        ),
        migrations.AddField(
            model_name="account",
            name="secret_mark",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="keyed hash of its token",
                max_length=100,
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                condition=models.Q(("secret_mark", ""), _negated=True),
                fields=("secret_mark",),
                name="account_token_once",
            ),
        ),
    ]
