"""What happens to memories at night: repeated ones become one, useful ones stay, the rest goes."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction

from agentapp.events import services as events

SAME_FROM = 0.95
"""Cosine from which two memories of the same kind, person and audience say the same."""

LATELY = timedelta(hours=36)  # more than the time between two runs
MAX_NEW = 2_000  # of one run
MAX_GONE = 10_000  # of one run
MOST_OF_A_PERSON = 5_000  # memories of one agent about one person

USES_TO_MID = 2
USES_TO_LONG = 3
LATELY_USED = timedelta(days=30)
PROMOTED_LIFETIME = timedelta(days=60)

KEPT_AFTER_EXPIRY = timedelta(days=7)
KEPT_AFTER_WITHDRAWAL = timedelta(days=1)
KEPT_AFTER_DELETION = timedelta(days=1)  # so long a deletion can be taken back

# The newer statement stays: what was said last counts. What people put right by hand always does.
CONSOLIDATE = """
WITH fresh AS MATERIALIZED (
    SELECT * FROM agentapp_memory
    WHERE created_at > greenroom_now() - make_interval(secs => %(lately)s)
        AND embedding IS NOT NULL AND person_id IS NOT NULL
        AND withdrawn_at IS NULL AND deleted_at IS NULL
    ORDER BY id DESC LIMIT %(limit)s
), repeated AS MATERIALIZED (
    SELECT older.id AS older_id, max(fresh.id) AS newer_id
    FROM fresh JOIN agentapp_memory older
        ON older.agent_id = fresh.agent_id AND older.person_id = fresh.person_id
        AND older.kind = fresh.kind AND older.audience = fresh.audience
        AND (older.audience <> 'room' OR older.room_id = fresh.room_id)
        AND older.embedding_model = fresh.embedding_model AND older.id < fresh.id
    WHERE older.embedding IS NOT NULL AND older.corrected_at IS NULL
        AND older.withdrawn_at IS NULL AND older.deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM agentapp_fact WHERE memory_id = older.id)
        AND (older.embedding <=> fresh.embedding) <= 1 - %(same)s
    GROUP BY older.id
), carried AS (
    UPDATE agentapp_memory newer
    SET uses = newer.uses + lot.uses, importance = greatest(newer.importance, lot.importance),
        last_used_at = greatest(newer.last_used_at, lot.last_used_at)
    FROM (
        SELECT repeated.newer_id, sum(older.uses) AS uses, max(older.importance) AS importance,
            max(older.last_used_at) AS last_used_at
        FROM repeated JOIN agentapp_memory older ON older.id = repeated.older_id
        GROUP BY repeated.newer_id
    ) lot
    WHERE newer.id = lot.newer_id
        AND newer.id NOT IN (SELECT older_id FROM repeated)
)
DELETE FROM agentapp_memory WHERE id IN (SELECT older_id FROM repeated)
"""

PROMOTE = """
UPDATE agentapp_memory
SET tier = CASE tier WHEN 'short' THEN 'mid' ELSE 'long' END,
    expires_at = CASE tier WHEN 'short'
        THEN greenroom_now() + make_interval(secs => %(lifetime)s) END
WHERE withdrawn_at IS NULL AND deleted_at IS NULL
    AND expires_at > greenroom_now()
    AND last_used_at > greenroom_now() - make_interval(secs => %(lately)s)
    AND ((tier = 'short' AND uses >= %(to_mid)s) OR (tier = 'mid' AND uses >= %(to_long)s))
    AND NOT EXISTS (
        SELECT FROM agentapp_fact fact
        WHERE fact.memory_id = agentapp_memory.id AND fact.status = 'superseded')
"""

PRUNE = """
DELETE FROM agentapp_memory WHERE id IN (
    SELECT id FROM agentapp_memory
    WHERE expires_at < greenroom_now() - make_interval(secs => %(expired)s)
        OR withdrawn_at < greenroom_now() - make_interval(secs => %(withdrawn)s)
        OR deleted_at < greenroom_now() - make_interval(secs => %(deleted)s)
    LIMIT %(limit)s)
"""

# Beyond the most that is kept of one person, what was least used and matters least goes first.
TRIM = """
DELETE FROM agentapp_memory WHERE id IN (
    SELECT id FROM (
        SELECT memory.id, row_number() OVER (
            PARTITION BY memory.agent_id, memory.person_id
            ORDER BY memory.corrected_at IS NOT NULL DESC,
                memory.importance + ln(1 + memory.uses) DESC,
                coalesce(memory.last_used_at, memory.created_at) DESC) AS place
        FROM agentapp_memory memory
        JOIN (
            SELECT agent_id, person_id FROM agentapp_memory
            GROUP BY agent_id, person_id HAVING count(*) > %(most)s
        ) full_up ON full_up.agent_id = memory.agent_id
            AND full_up.person_id IS NOT DISTINCT FROM memory.person_id
    ) ranked
    WHERE place > %(most)s LIMIT %(limit)s)
"""


def keep_up() -> int:
    """Consolidate, promote, prune and trim all memories, in four statements.

    Bounded, and harmless when run twice: the second run finds nothing left to do.
    Writes: Memory, Fact (with its memory), Event `memory.kept_up` when anything changed.

    Returns:
        How many memories were changed or went.
    """
    with transaction.atomic():
        done = {
            "consolidated": consolidate(),
            "promoted": promote(),
            "pruned": prune(),
            "trimmed": trim(),
        }
        if any(done.values()):
            events.record(
                type="memory.kept_up", subject_kind="memory", subject_id="", payload={**done}
            )
    return sum(done.values())


def consolidate(*, limit: int = MAX_NEW) -> int:
    """Let the newer of two memories that say the same stand for both; returns how many went."""
    return _run(CONSOLIDATE, lately=LATELY, same=SAME_FROM, limit=limit)


def promote() -> int:
    """Keep longer what was of use lately; returns how many were promoted."""
    return _run(
        PROMOTE,
        lifetime=PROMOTED_LIFETIME,
        lately=LATELY_USED,
        to_mid=USES_TO_MID,
        to_long=USES_TO_LONG,
    )


def prune(*, limit: int = MAX_GONE) -> int:
    """Delete what expired, lost its source or was deleted a while ago; returns how many."""
    return _run(
        PRUNE,
        expired=KEPT_AFTER_EXPIRY,
        withdrawn=KEPT_AFTER_WITHDRAWAL,
        deleted=KEPT_AFTER_DELETION,
        limit=limit,
    )


def trim(*, most: int = MOST_OF_A_PERSON, limit: int = MAX_GONE) -> int:
    """Delete the least useful of what is too much about one person; returns how many."""
    return _run(TRIM, most=most, limit=limit)


def _run(statement: str, **values: float | timedelta) -> int:
    asked = {
        name: value.total_seconds() if isinstance(value, timedelta) else value
        for name, value in values.items()
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        return int(cursor.rowcount)
