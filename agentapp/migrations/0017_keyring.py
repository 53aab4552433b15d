"""A login's keys, sealed, and what it could not read yet."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import agentapp.foundation.clock


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0016_sharing_logins"),
    ]

    operations = [
        migrations.CreateModel(
            name="Keyring",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=agentapp.foundation.clock.GreenroomNow(), editable=False
                    ),
                ),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="keyring",
                        serialize=False,
                        to="agentapp.account",
                    ),
                ),
                ("is_on", models.BooleanField(default=True)),
                (
                    "device",
                    models.CharField(
                        help_text="whose keys these are, on its platform", max_length=255
                    ),
                ),
                (
                    "fingerprint",
                    models.CharField(help_text="public; people compare it", max_length=200),
                ),
                ("version", models.BigIntegerField(default=0)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Key",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("name", models.CharField(max_length=600)),
                (
                    "owner",
                    models.CharField(
                        blank=True, help_text="the handle that it came from", max_length=255
                    ),
                ),
                ("sealed", models.TextField()),
                ("changed_at", models.DateTimeField()),
                (
                    "keyring",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="keys",
                        to="agentapp.keyring",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["keyring", "kind", "owner", "changed_at"], name="key_of_owner"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("keyring", "kind", "name"), name="key_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Unread",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=agentapp.foundation.clock.GreenroomNow(), editable=False
                    ),
                ),
                ("room_external_id", models.CharField(max_length=255)),
                ("external_id", models.CharField(max_length=255)),
                (
                    "key_name",
                    models.CharField(help_text="the key that would open it", max_length=600),
                ),
                ("content", models.TextField(help_text="as the platform gave it, encrypted")),
                (
                    "keyring",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="unread",
                        to="agentapp.keyring",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["keyring", "key_name"], name="unread_by_key")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("keyring", "room_external_id", "external_id"), name="unread_once"
                    )
                ],
            },
        ),
    ]
