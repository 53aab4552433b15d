"""How logins fare and end, moderation inside rooms, and offers to let replies go on their own."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import agentapp.foundation.clock

GUARD_LOGINS = """
CREATE TRIGGER guard_state BEFORE UPDATE OF state ON agentapp_account FOR EACH ROW
EXECUTE FUNCTION greenroom_guard_state('state',
    '{"on": ["ending"], "ending": ["ended", "on"], "ended": ["on"]}');
"""

# (table, column, the table it points to): both must lie in the same workspace.
SAME_WORKSPACE = [
    ("agentapp_moderationaction", "room_id", "agentapp_room"),
    ("agentapp_replyoffer", "agent_id", "agentapp_agent"),
    ("agentapp_replyoffer", "room_id", "agentapp_room"),
]


def _same_workspace(table: str, column: str, target: str) -> str:
    name = f"{table.removeprefix('agentapp_')}_{column}_same_workspace"
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}, workspace_id) "
        f"REFERENCES {target} (id, workspace_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;"
    )


class Migration(migrations.Migration):
    dependencies = [("agentapp", "0005_memory_and_facts")]
    operations = [
        migrations.AddField(
            model_name="account",
            name="state",
            field=models.CharField(
                choices=[
                    ("on", "On"),
                    ("ending", "leaves its rooms and the platform"),
                    ("ended", "Ended"),
                ],
                default="on",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="account",
            name="health_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="account",
            name="heard_at",
            field=models.DateTimeField(blank=True, help_text="last time it had news", null=True),
        ),
        migrations.AlterField(
            model_name="account",
            name="health",
            field=models.CharField(
                choices=[
                    ("starting", "Starting"),
                    ("ok", "Ok"),
                    ("failing", "Failing"),
                    ("lost", "the platform no longer accepts it"),
                    ("stopped", "Stopped"),
                ],
                default="starting",
                max_length=16,
            ),
        ),
        migrations.RunSQL(GUARD_LOGINS, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="membership",
            name="prior_state",
            field=models.CharField(
                blank=True,
                help_text="before a suspension, or before a decision that the platform has yet to see",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="membership",
            name="is_held",
            field=models.BooleanField(
                default=False, help_text="muted by whoever moderates the room"
            ),
        ),
        migrations.AddIndex(
            model_name="membership",
            index=models.Index(
                fields=["account"],
                condition=models.Q(state__in=["quarantined", "left", "removed"])
                & ~models.Q(prior_state=""),
                name="membership_to_carry_out",
            ),
        ),
        migrations.AlterField(
            model_name="moderationaction",
            name="kind",
            field=models.CharField(
                choices=[
                    ("suspend", "Suspend"),
                    ("mute", "mute in a room"),
                    ("remove", "remove from a room"),
                ],
                default="suspend",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="moderationaction",
            name="room",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="moderation",
                to="agentapp.room",
            ),
        ),
        migrations.AddField(
            model_name="moderationaction",
            name="by_handle",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="agentapp.identity",
            ),
        ),
        migrations.AddField(
            model_name="moderationaction",
            name="key",
            field=models.CharField(
                blank=True,
                help_text="of the order given in a room",
                max_length=300,
                null=True,
                unique=True,
            ),
        ),
        migrations.RemoveConstraint(model_name="moderationaction", name="moderation_one_active"),
        migrations.AddConstraint(
            model_name="moderationaction",
            constraint=models.UniqueConstraint(
                condition=models.Q(state="active", kind="suspend"),
                fields=("agent",),
                name="moderation_one_active",
            ),
        ),
        migrations.AddConstraint(
            model_name="moderationaction",
            constraint=models.UniqueConstraint(
                condition=models.Q(state="active", kind="mute"),
                fields=("agent", "room"),
                name="moderation_one_mute",
            ),
        ),
        migrations.AddConstraint(
            model_name="moderationaction",
            constraint=models.CheckConstraint(
                condition=models.Q(kind="suspend", room__isnull=True)
                | models.Q(kind__in=["mute", "remove"], room__isnull=False),
                name="moderation_kind_has_room",
            ),
        ),
        migrations.CreateModel(
            name="ReplyOffer",
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
                ("is_accepted", models.BooleanField()),
                ("answered_at", models.DateTimeField()),
                ("times", models.PositiveIntegerField(default=1)),
                (
                    "agent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reply_offers",
                        to="agentapp.agent",
                    ),
                ),
                (
                    "room",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reply_offers",
                        to="agentapp.room",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="agentapp.workspace"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="replyoffer",
            constraint=models.UniqueConstraint(fields=("agent", "room"), name="reply_offer_once"),
        ),
        *[
            migrations.RunSQL(_same_workspace(*row), migrations.RunSQL.noop)
            for row in SAME_WORKSPACE
        ],
    ]
