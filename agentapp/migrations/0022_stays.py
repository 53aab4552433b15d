"""Who came into a server and who left it, and which rooms a server has."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import agentapp.foundation.clock

# Until now only the list of what a login is shown said which server a room is part of.
GROUPS = """
UPDATE agentapp_room room SET group_id = shown.group_id
FROM (
    SELECT DISTINCT login.workspace_id, login.platform, door.external_id, door.group_id
    FROM agentapp_doorway door JOIN agentapp_account login ON login.id = door.account_id
) shown
WHERE shown.workspace_id = room.workspace_id AND shown.platform = room.platform
    AND shown.external_id = coalesce(
        (SELECT external_id FROM agentapp_room parent
            WHERE parent.id = room.parent_id AND room.kind = 'thread'),
        room.external_id);
"""


class Migration(migrations.Migration):
    dependencies = [("agentapp", "0021_appservices")]

    operations = [
        migrations.AddField(
            model_name="room",
            name="group_id",
            field=models.CharField(
                blank=True,
                default="",
                help_text="the platform's id of the server that it is part of",
                max_length=255,
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(GROUPS, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="room",
            index=models.Index(
                condition=models.Q(("group_id", ""), _negated=True),
                fields=["workspace", "platform", "group_id"],
                name="room_of_group",
            ),
        ),
        migrations.CreateModel(
            name="Stay",
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
                    "group_id",
                    models.CharField(
                        help_text="the platform's id, as rooms have it", max_length=255
                    ),
                ),
                ("group_name", models.CharField(blank=True, max_length=120)),
                (
                    "joined_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="by the platform's clock; empty where nobody saw it",
                        null=True,
                    ),
                ),
                (
                    "left_at",
                    models.DateTimeField(
                        blank=True, help_text="empty while they are there", null=True
                    ),
                ),
                (
                    "identity",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stays",
                        to="agentapp.identity",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="stay",
            constraint=models.UniqueConstraint(fields=("identity", "group_id"), name="stay_once"),
        ),
    ]
