"""Rooms that a login is shown, how far it has read, and how often it connects."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import agentapp.foundation.clock

# A thread is as its room: whoever silences, frees, closes or leaves the room means its threads too.
FOLLOW = """
CREATE FUNCTION greenroom_threads_follow_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE agentapp_room SET dial = NEW.dial, reply_mode = NEW.reply_mode, limits = NEW.limits,
        agents_allowed = NEW.agents_allowed, gone_at = COALESCE(NEW.gone_at, gone_at)
    WHERE parent_id = NEW.id AND kind = 'thread';
    RETURN NULL;
END $$;
CREATE TRIGGER room_threads_follow AFTER UPDATE ON agentapp_room
    FOR EACH ROW WHEN (NEW.kind <> 'thread' AND (
        OLD.dial <> NEW.dial OR OLD.reply_mode <> NEW.reply_mode OR OLD.limits <> NEW.limits
        OR OLD.agents_allowed <> NEW.agents_allowed OR OLD.gone_at IS DISTINCT FROM NEW.gone_at))
    EXECUTE FUNCTION greenroom_threads_follow_room();
CREATE FUNCTION greenroom_threads_follow_membership() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE agentapp_membership there SET state = NEW.state, is_held = NEW.is_held,
        left_at = NEW.left_at,
        prior_state = CASE WHEN NEW.left_at IS NULL THEN NEW.prior_state ELSE '' END
    FROM agentapp_room thread
    WHERE thread.parent_id = NEW.room_id AND thread.kind = 'thread'
        AND there.room_id = thread.id AND there.agent_id = NEW.agent_id AND there.left_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER membership_threads_follow AFTER UPDATE ON agentapp_membership
    FOR EACH ROW WHEN (OLD.state <> NEW.state OR OLD.is_held <> NEW.is_held
        OR OLD.left_at IS DISTINCT FROM NEW.left_at)
    EXECUTE FUNCTION greenroom_threads_follow_membership();
CREATE INDEX room_threads ON agentapp_room (parent_id) WHERE kind = 'thread';
"""
UNFOLLOW = """
DROP INDEX room_threads;
DROP TRIGGER room_threads_follow ON agentapp_room;
DROP FUNCTION greenroom_threads_follow_room();
DROP TRIGGER membership_threads_follow ON agentapp_membership;
DROP FUNCTION greenroom_threads_follow_membership();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agentapp", "0012_files"),
    ]

    operations = [
        migrations.AddField(
            model_name="account",
            name="details",
            field=models.JSONField(
                blank=True, default=dict, help_text="what its platform says of it"
            ),
        ),
        migrations.AddField(
            model_name="account",
            name="refusals",
            field=models.PositiveIntegerField(
                default=0, help_text="requests refused in this window"
            ),
        ),
        migrations.AddField(
            model_name="account",
            name="refusals_from",
            field=models.DateTimeField(blank=True, help_text="start of that window", null=True),
        ),
        migrations.AddField(
            model_name="account",
            name="sessions",
            field=models.PositiveIntegerField(default=0, help_text="begun on `sessions_on`"),
        ),
        migrations.AddField(
            model_name="account",
            name="sessions_on",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="membership",
            name="read_to",
            field=models.CharField(
                blank=True,
                help_text="the platform's id up to which everything said here is on record",
                max_length=40,
            ),
        ),
        migrations.CreateModel(
            name="Doorway",
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
                ("external_id", models.CharField(max_length=255)),
                ("name", models.CharField(max_length=120)),
                (
                    "group_id",
                    models.CharField(help_text="the platform's id of its server", max_length=255),
                ),
                ("group_name", models.CharField(max_length=120)),
                (
                    "position",
                    models.PositiveIntegerField(default=0, help_text="in its server's list"),
                ),
                ("is_public", models.BooleanField(default=False)),
                (
                    "hindrance",
                    models.CharField(
                        blank=True,
                        help_text="what the login lacks there, and who can give it",
                        max_length=200,
                    ),
                ),
                (
                    "is_group_left",
                    models.BooleanField(default=False, help_text="its server is to be left"),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="doorways",
                        to="agentapp.account",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_group_left", True)),
                        fields=["account"],
                        name="doorway_group_to_leave",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "external_id"), name="doorway_once")
                ],
            },
        ),
        migrations.AddField(
            model_name="outbound",
            name="tried_at",
            field=models.DateTimeField(blank=True, help_text="the first attempt", null=True),
        ),
        migrations.RunSQL(FOLLOW, UNFOLLOW),
    ]
