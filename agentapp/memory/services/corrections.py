"""What people change about memories by hand: put right, take away, take back, forget altogether."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Count, Q

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, Invalid
from agentapp.foundation.text import is_visible, normalised
from agentapp.identity.models import User
from agentapp.memory.models import Fact, Memory

MAX_MEMORY = 1_000  # characters of a corrected one

# Every talk there ever was gets a mark: nothing from before it may be gone over or remembered
# again, even if an old message is edited later.
MARK_TALKS = """
INSERT INTO agentapp_talk (workspace_id, agent_id, room_id, person_id, heard_through, heard_at,
    closed_through, forgotten_through, fence, attempts, outcome, error)
SELECT workspace_id, agent_id, room_id, person_id, max(trigger_id), max(created_at),
    0, 0, 0, 0, '', ''
FROM agentapp_turn
WHERE person_id = %(person_id)s AND agent_id = ANY(%(agent_ids)s) AND addressed
    AND room_id IS NOT NULL AND trigger_kind = 'message' AND trigger_id IS NOT NULL
GROUP BY workspace_id, agent_id, room_id, person_id
ON CONFLICT (agent_id, room_id, person_id) DO NOTHING
"""
FORGET_TALKS = """
UPDATE agentapp_talk talk
SET forgotten_through = newest.id, heard_through = newest.id, closed_through = newest.id,
    lease_until = NULL, next_try_at = NULL, attempts = 0, outcome = 'forgotten', error = ''
FROM (
    SELECT talk.id AS talk_id, coalesce(
        (SELECT max(message.id) FROM agentapp_message message
            WHERE message.room_id = talk.room_id), 0) AS id
    FROM agentapp_talk talk
    WHERE talk.person_id = %(person_id)s AND talk.agent_id = ANY(%(agent_ids)s)
) newest
WHERE talk.id = newest.talk_id
"""

FORGET = """
DELETE FROM agentapp_memory WHERE person_id = %(person_id)s AND agent_id = ANY(%(agent_ids)s)
"""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much of one agent's memory of a person went. Summaries and facts are memories too."""

    agent_id: int
    memories: int
    summaries: int
    facts: int


@transaction.atomic
def correct_memory(*, memory: Memory, text: str, by: User) -> Memory:
    """Put a memory's words right; it still says where it came from.

    Writes: Memory (it gets its vector from `indexing` soon), Fact, Event `memory.corrected`.

    Raises:
        Invalid: The text shows nothing or is too long.
        Conflict: It is gone.
    """
    clean = normalised(text, limit=2 * MAX_MEMORY)
    if not is_visible(clean):
        raise Invalid("Write what is true instead, or delete it.")
    if len(clean) > MAX_MEMORY:
        raise Invalid(f"At most {MAX_MEMORY} characters; these are {len(clean)}.")
    row = _held(memory)
    if row.text == clean:
        return row
    # `text_hash` stays that of the first words: they must not be remembered a second time.
    row.text, row.corrected_by, row.corrected_at = clean, by, GreenroomNow()
    row.embedding, row.embedding_model, row.embedding_dimensions = None, "", None
    row.save(
        update_fields=[
            "text",
            "corrected_by",
            "corrected_at",
            "embedding",
            "embedding_model",
            "embedding_dimensions",
        ]
    )
    for fact in Fact.objects.filter(memory=row):
        if fact.object.casefold() not in clean.casefold():
            fact.object = clean[:300]
        fact.source = Fact.Source.CORRECTED
        fact.save(update_fields=["object", "source"])
    _record("memory.corrected", row, by)
    row.refresh_from_db()
    return row


@transaction.atomic
def delete_memory(*, memory: Memory, by: User) -> None:
    """Take a memory away; for a day it can be taken back. Repeating it changes nothing.

    Writes: Memory, Event `memory.deleted`.
    """
    alive = Memory.objects.filter(pk=memory.pk, deleted_at__isnull=True)
    if alive.update(deleted_at=GreenroomNow()):
        _record("memory.deleted", memory, by)


@transaction.atomic
def restore_memory(*, memory: Memory, by: User) -> None:
    """Take a deletion back; repeating it changes nothing.

    Writes: Memory, Event `memory.restored`.

    Raises:
        Conflict: It is gone for good.
    """
    deleted = Memory.objects.filter(pk=memory.pk, deleted_at__isnull=False)
    if deleted.update(deleted_at=None):
        _record("memory.restored", memory, by)
    elif not Memory.objects.filter(pk=memory.pk).exists():
        raise Conflict("It is gone for good.")


@transaction.atomic
def forget_person(*, person_id: int, agent_ids: Collection[int]) -> list[Forgotten]:
    """Delete all that these agents remember of a person, for good.

    What was said before is not remembered again, whatever is done with those messages later.
    The caller locks the person and writes the event. Writes: Memory, Fact, Talk.

    Returns:
        One entry per agent that remembered anything.
    """
    whose: dict[str, int | list[int]] = {"person_id": person_id, "agent_ids": list(agent_ids)}
    with connection.cursor() as cursor:
        cursor.execute(MARK_TALKS, whose)
        cursor.execute(FORGET_TALKS, whose)
    rows = Memory.objects.filter(person_id=person_id, agent_id__in=agent_ids)
    counted = (
        rows.order_by("agent_id")
        .values_list("agent_id")
        .annotate(
            memories=Count("pk"),
            summaries=Count("pk", filter=Q(kind=Memory.Kind.SUMMARY)),
            facts=Count("fact"),
        )
    )
    gone = [Forgotten(*row) for row in counted]
    with connection.cursor() as cursor:
        cursor.execute(FORGET, whose)
    return gone


def _held(memory: Memory) -> Memory:
    row = (
        Memory.objects.select_for_update(no_key=True)
        .filter(pk=memory.pk, deleted_at__isnull=True, withdrawn_at__isnull=True)
        .first()
    )
    if row is None:
        raise Conflict("It is gone: its message was changed or deleted.")
    return row


def _record(type: str, memory: Memory, by: User) -> None:
    events.record(
        type=type,
        subject_kind="memory",
        subject_id=memory.pk,
        workspace_id=memory.workspace_id,
        agent_id=memory.agent_id,
        room_id=memory.room_id,
        actor_id=by.pk,
    )
