"""Laws the database keeps itself: state moves, immutable rows, tenants that do not mix."""

from __future__ import annotations

import json

from django.db import migrations

GUARD = """
CREATE FUNCTION greenroom_guard_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was text := to_jsonb(OLD) ->> TG_ARGV[0];
    becomes text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    IF was IS DISTINCT FROM becomes
       AND NOT coalesce((TG_ARGV[1]::jsonb -> was) ? becomes, false) THEN
        RAISE EXCEPTION '% may not go from % to %', TG_TABLE_NAME, was, becomes
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION greenroom_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
"""

MOVES = {
    ("agentapp_draft", "status"): {
        "proposed": ["pending", "approved", "blocked"],
        "pending": ["approved", "rejected", "expired", "blocked", "withdrawn"],
        "approved": ["pending", "withdrawn", "publishing", "blocked"],
        "publishing": ["published", "failed", "unknown", "blocked"],
        "unknown": ["published", "publishing"],
        "failed": ["publishing", "rejected", "blocked", "withdrawn"],
        "published": ["retracted"],
    },
    ("agentapp_outbound", "state"): {
        "queued": ["publishing", "withheld"],
        "publishing": ["sent", "failed", "unknown"],
        "unknown": ["sent", "publishing"],
        "failed": ["publishing", "withheld"],
    },
    ("agentapp_agent", "status"): {
        "trial": ["live", "paused", "archived"],
        "live": ["paused", "archived"],
        "paused": ["live", "archived"],
        "archived": ["deleted"],
    },
    ("agentapp_membership", "state"): {
        "invited": ["quarantined", "active", "left", "removed"],
        "quarantined": ["active", "inactive", "left", "removed"],
        "active": ["muted", "inactive", "left", "removed"],
        "muted": ["active", "inactive", "left", "removed"],
        "inactive": ["active", "muted", "quarantined", "left", "removed"],
    },
    ("agentapp_reservation", "state"): {"reserved": ["settled", "released", "lost"]},
    ("agentapp_moderationaction", "state"): {"active": ["lifted", "expired"]},
}

IMMUTABLE = ["agentapp_blueprintversion", "agentapp_event", "agentapp_feedback"]

# (table, column, the table it points to): both must lie in the same workspace.
SAME_WORKSPACE = [
    ("agentapp_account", "agent_id", "agentapp_agent"),
    ("agentapp_message", "room_id", "agentapp_room"),
    ("agentapp_turn", "agent_id", "agentapp_agent"),
    ("agentapp_turn", "room_id", "agentapp_room"),
    ("agentapp_turn", "person_id", "agentapp_person"),
    ("agentapp_memory", "agent_id", "agentapp_agent"),
    ("agentapp_memory", "person_id", "agentapp_person"),
    ("agentapp_memory", "room_id", "agentapp_room"),
    ("agentapp_relationship", "agent_id", "agentapp_agent"),
    ("agentapp_relationship", "person_id", "agentapp_person"),
    ("agentapp_membership", "agent_id", "agentapp_agent"),
    ("agentapp_membership", "room_id", "agentapp_room"),
    ("agentapp_draft", "agent_id", "agentapp_agent"),
    ("agentapp_draft", "room_id", "agentapp_room"),
    ("agentapp_lane", "agent_id", "agentapp_agent"),
    ("agentapp_lane", "room_id", "agentapp_room"),
]


def _trigger(table: str, column: str, moves: dict[str, list[str]]) -> str:
    return (
        f"CREATE TRIGGER guard_{column} BEFORE UPDATE OF {column} ON {table} FOR EACH ROW "
        f"EXECUTE FUNCTION greenroom_guard_state('{column}', '{json.dumps(moves)}');"
    )


def _same_workspace(table: str, column: str, target: str) -> str:
    name = f"{table.removeprefix('agentapp_')}_{column}_same_workspace"
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}, workspace_id) "
        f"REFERENCES {target} (id, workspace_id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;"
    )


APPEND_ONLY = """
DO $$ BEGIN
IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'greenroom_app') THEN
    REVOKE UPDATE, DELETE ON agentapp_event FROM greenroom_app;
END IF;
END $$;
ALTER TABLE agentapp_memory SET (
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05,
    fillfactor = 85 -- room beside each row, so that counting its uses touches no index
);
"""


class Migration(migrations.Migration):
    dependencies = [("agentapp", "0002_tables")]
    # Apps that point at our User ask for this app's first migration only; it makes no User yet.
    run_before = [("admin", "0001_initial"), ("account", "0001_initial"), ("mfa", "0001_initial")]
    operations = [
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
        *[
            migrations.RunSQL(_trigger(table, column, moves), migrations.RunSQL.noop)
            for (table, column), moves in MOVES.items()
        ],
        *[
            migrations.RunSQL(
                f"CREATE TRIGGER never_changes BEFORE UPDATE ON {table} FOR EACH ROW "
                "EXECUTE FUNCTION greenroom_refuse_change();",
                migrations.RunSQL.noop,
            )
            for table in IMMUTABLE
        ],
        *[
            migrations.RunSQL(_same_workspace(*row), migrations.RunSQL.noop)
            for row in SAME_WORKSPACE
        ],
        migrations.RunSQL(APPEND_ONLY, migrations.RunSQL.noop),
    ]
