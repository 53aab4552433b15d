"""Approval cards in direct chats, and the handles that they are brought to."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import agentapp.foundation.clock


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0018_commands"),
    ]

    operations = [
        migrations.CreateModel(
            name="CardCode",
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
                ("code_hash", models.CharField(max_length=64, unique=True)),
                ("expires_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="agentapp.account"
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="card_code",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Card",
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
                ("external_id", models.CharField(help_text="whom it is shown to", max_length=255)),
                ("key", models.CharField(max_length=32, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "to be shown"),
                            ("shown", "Shown"),
                            ("closed", "decided; it has no buttons any more"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                (
                    "version",
                    models.PositiveIntegerField(
                        default=0, help_text="of the draft, as it is shown"
                    ),
                ),
                ("content_hash", models.CharField(blank=True, max_length=64)),
                ("is_silent", models.BooleanField(default=False, help_text="no push for it")),
                (
                    "place",
                    models.CharField(
                        blank=True, help_text="the direct chat's id there", max_length=255
                    ),
                ),
                ("message", models.CharField(blank=True, max_length=255)),
                (
                    "due_at",
                    models.DateTimeField(db_default=agentapp.foundation.clock.GreenroomNow()),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=400)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cards",
                        to="agentapp.account",
                    ),
                ),
                (
                    "draft",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="card",
                        to="agentapp.draft",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "shown"])),
                        fields=["account", "due_at"],
                        name="card_open",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CardLink",
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
                (
                    "external_id",
                    models.CharField(help_text="the owner's handle there", max_length=255),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "error",
                    models.CharField(
                        blank=True, help_text="why no card arrives there", max_length=400
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="card_links",
                        to="agentapp.account",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="card_link",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "external_id"), name="card_link_once"
                    )
                ],
            },
        ),
    ]
