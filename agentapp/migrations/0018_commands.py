"""What was asked with commands, and where people want to be left alone."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import agentapp.foundation.clock

SAME_WORKSPACE = """
ALTER TABLE agentapp_quiet ADD CONSTRAINT quiet_room_id_same_workspace
    FOREIGN KEY (room_id, workspace_id) REFERENCES agentapp_room (id, workspace_id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE agentapp_quiet ADD CONSTRAINT quiet_person_id_same_workspace
    FOREIGN KEY (person_id, workspace_id) REFERENCES agentapp_person (id, workspace_id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE agentapp_commandcall ADD CONSTRAINT commandcall_room_id_same_workspace
    FOREIGN KEY (room_id, workspace_id) REFERENCES agentapp_room (id, workspace_id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0017_keyring"),
    ]

    operations = [
        migrations.CreateModel(
            name="CommandCall",
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
                    "key",
                    models.CharField(
                        help_text="hash of the platform's name of this use", max_length=64
                    ),
                ),
                ("command", models.CharField(max_length=32)),
                ("words", models.TextField(blank=True)),
                ("is_private", models.BooleanField(default=True)),
                ("is_done", models.BooleanField(default=False)),
                (
                    "is_shown",
                    models.BooleanField(
                        default=False, help_text="in its web room, until dismissed"
                    ),
                ),
                ("words_until", models.DateTimeField(blank=True, null=True)),
                ("token_hash", models.CharField(blank=True, max_length=64, null=True, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name="Quiet",
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
                    "until",
                    models.DateTimeField(
                        blank=True, help_text="empty: until it is taken back", null=True
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="person",
            name="stopped_at",
            field=models.DateTimeField(
                blank=True,
                help_text="since when no agent answers, mentions or remembers them",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="identity",
            index=models.Index(fields=["platform", "external_id"], name="identity_handle"),
        ),
        migrations.AddField(
            model_name="commandcall",
            name="agent",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to="agentapp.agent",
            ),
        ),
        migrations.AddField(
            model_name="commandcall",
            name="handle",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="commands",
                to="agentapp.identity",
            ),
        ),
        migrations.AddField(
            model_name="commandcall",
            name="room",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                to="agentapp.room",
            ),
        ),
        migrations.AddField(
            model_name="commandcall",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
            ),
        ),
        migrations.AddField(
            model_name="quiet",
            name="by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="agentapp.identity",
            ),
        ),
        migrations.AddField(
            model_name="quiet",
            name="person",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="quiets",
                to="agentapp.person",
            ),
        ),
        migrations.AddField(
            model_name="quiet",
            name="room",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="quiets",
                to="agentapp.room",
            ),
        ),
        migrations.AddField(
            model_name="quiet",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
            ),
        ),
        migrations.AddIndex(
            model_name="commandcall",
            index=models.Index(
                condition=models.Q(("is_shown", True)),
                fields=["room", "handle"],
                name="command_call_shown",
            ),
        ),
        migrations.AddIndex(
            model_name="commandcall",
            index=models.Index(
                condition=models.Q(
                    models.Q(("words", ""), _negated=True), ("words_until__isnull", False)
                ),
                fields=["words_until"],
                name="command_call_words",
            ),
        ),
        migrations.AddConstraint(
            model_name="commandcall",
            constraint=models.UniqueConstraint(
                fields=("workspace", "key"), name="command_call_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="quiet",
            constraint=models.UniqueConstraint(
                fields=("room", "person"), name="quiet_once", nulls_distinct=False
            ),
        ),
        migrations.RunSQL(
            SAME_WORKSPACE,
            "ALTER TABLE agentapp_quiet DROP CONSTRAINT quiet_room_id_same_workspace,"
            " DROP CONSTRAINT quiet_person_id_same_workspace;"
            "ALTER TABLE agentapp_commandcall DROP CONSTRAINT commandcall_room_id_same_workspace;",
        ),
    ]
