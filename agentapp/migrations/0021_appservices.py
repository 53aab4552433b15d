"""Application services: homeservers that hand over for many logins at once."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import agentapp.foundation.clock


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0020_stopped_people"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApplicationService",
            fields=[
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=agentapp.foundation.clock.GreenroomNow(), editable=False
                    ),
                ),
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("platform", models.CharField(max_length=20)),
                (
                    "domain",
                    models.CharField(
                        help_text="what stands behind the colon of its users", max_length=255
                    ),
                ),
                (
                    "address",
                    models.CharField(help_text="where the homeserver answers", max_length=300),
                ),
                (
                    "prefix",
                    models.CharField(
                        help_text="what the names of its users begin with", max_length=40
                    ),
                ),
                ("sealed", models.TextField(help_text="the tokens of both directions")),
                (
                    "token_mark",
                    models.CharField(
                        editable=False,
                        help_text="keyed hash of the homeserver's token",
                        max_length=100,
                    ),
                ),
                (
                    "health",
                    models.CharField(
                        choices=[
                            ("starting", "the homeserver does not know it yet"),
                            ("ok", "Ok"),
                            ("failing", "Failing"),
                        ],
                        default="starting",
                        max_length=16,
                    ),
                ),
                ("health_since", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True)),
                (
                    "heard_at",
                    models.DateTimeField(
                        blank=True, help_text="when it last handed over", null=True
                    ),
                ),
                ("lease_holder", models.CharField(blank=True, max_length=80)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("fence", models.BigIntegerField(default=0)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Ghost",
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
                        related_name="ghost",
                        serialize=False,
                        to="agentapp.account",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="ghosts",
                        to="agentapp.applicationservice",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Parcel",
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
                    "name",
                    models.CharField(help_text="the homeserver's own id of it", max_length=255),
                ),
                ("content", models.BinaryField(help_text="as it came")),
                ("taken_at", models.DateTimeField(blank=True, null=True)),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parcels",
                        to="agentapp.applicationservice",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="applicationservice",
            constraint=models.UniqueConstraint(
                fields=("workspace", "platform", "domain"), name="appservice_once"
            ),
        ),
        migrations.AddIndex(
            model_name="parcel",
            index=models.Index(
                condition=models.Q(("taken_at__isnull", True)),
                fields=["service", "id"],
                name="parcel_waiting",
            ),
        ),
        migrations.AddConstraint(
            model_name="parcel",
            constraint=models.UniqueConstraint(fields=("service", "name"), name="parcel_once"),
        ),
    ]
