"""Reads of memories. Who may hear one is decided here, in SQL, before anything else is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Q, QuerySet

from agentapp.conversation.models import Message
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Identity
from agentapp.memory.embeddings import EMBEDDING_MODEL, Vector
from agentapp.memory.models import Memory
from agentapp.turns.models import Turn

# `place` is one row: where the answer goes and to whom. Without it (another workspace's room, an
# agent that is not there) nothing is found. A direct room counts as the person's own only while
# that person is in it and no other person ever was.
#
# `near` is MATERIALIZED: no index that orders by distance may come before the audience, since it
# would look at the nearest rows of everybody and then find too few that may be heard. Both its
# halves name every column through `memory_cover`, so they read that index and not the table.
NEAREST = """
WITH place AS MATERIALIZED (
    SELECT agent.workspace_id, room.id AS room_id,
        room.kind = 'direct'
            AND coalesce((
                SELECT bool_and(handle.person_id = %(person_id)s) AND bool_or(here.left_at IS NULL)
                FROM agentapp_participant here
                JOIN agentapp_identity handle ON handle.id = here.identity_id
                WHERE here.room_id = room.id AND handle.person_id IS NOT NULL), false)
            AS is_own_direct,
        room.kind <> 'direct' AND room.visibility = 'public'
            AND (room.kind <> 'thread' OR coalesce(parent.visibility = 'public', false))
            AS is_public,
        EXISTS (
            SELECT FROM agentapp_person person
            WHERE person.id = %(person_id)s AND person.workspace_id = agent.workspace_id
                AND NOT person.never_remember)
            AS may_remember,
        (SELECT greenroom_now()) AS now,
        %(vector)s::halfvec AS asked
    FROM agentapp_agent agent
    JOIN agentapp_room room ON room.id = %(room_id)s AND room.workspace_id = agent.workspace_id
    LEFT JOIN agentapp_room parent ON parent.id = room.parent_id
    WHERE agent.id = %(agent_id)s
),
near AS MATERIALIZED (
    SELECT memory.id, memory.embedding <=> place.asked AS distance
    FROM agentapp_memory memory
    JOIN place ON memory.workspace_id = place.workspace_id
    WHERE memory.agent_id = %(agent_id)s AND memory.person_id = %(person_id)s
        AND place.may_remember
        AND (place.is_own_direct
            OR (memory.audience = 'public' AND place.is_public)
            OR (memory.audience = 'room' AND memory.room_id = place.room_id
                AND NOT place.is_public))
        AND memory.embedding IS NOT NULL AND memory.embedding_model = %(model)s
        AND memory.withdrawn_at IS NULL
        AND (memory.expires_at IS NULL OR memory.expires_at > place.now)
    UNION ALL
    SELECT memory.id, memory.embedding <=> place.asked AS distance
    FROM agentapp_memory memory
    JOIN place ON memory.workspace_id = place.workspace_id
    WHERE memory.agent_id = %(agent_id)s AND memory.person_id IS NULL
        AND memory.audience = 'agent'
        AND memory.embedding IS NOT NULL AND memory.embedding_model = %(model)s
        AND memory.withdrawn_at IS NULL
        AND (memory.expires_at IS NULL OR memory.expires_at > place.now)
)
SELECT id, distance FROM near ORDER BY distance, id LIMIT %(limit)s
"""

NEAREST_ROWS = f"""
WITH nearest AS MATERIALIZED ({NEAREST})
SELECT memory.id, memory.text, memory.text_hash, memory.kind, memory.audience, memory.person_id,
    memory.source_message_id, memory.created_at,
    (SELECT greenroom_now()) - memory.created_at AS age, 1 - nearest.distance AS similarity
FROM nearest JOIN agentapp_memory memory ON memory.id = nearest.id
ORDER BY nearest.distance, memory.id
"""  # noqa: S608  (two constants of this file)


@dataclass(frozen=True, slots=True)
class Near:
    """A memory that may be heard, and how near it is; `similarity` is a cosine in [-1, 1]."""

    id: int
    text: str
    text_hash: str
    kind: str
    audience: str
    person_id: int | None
    source_message_id: int | None
    created_at: datetime
    age: timedelta
    similarity: float


@dataclass(frozen=True, slots=True)
class Pending:
    """A memory without a vector of the present model."""

    id: int
    text: str


def nearest_parameters(
    *, agent_id: int, person_id: int | None, room_id: int, vector: Vector, limit: int
) -> dict[str, int | str | None]:
    """Return what `NEAREST` is asked with."""
    return {
        "agent_id": agent_id,
        "person_id": person_id,
        "room_id": room_id,
        # Five digits hold all that the 16 bits of a stored number can tell apart.
        "vector": f"[{','.join([f'{x:.5g}' for x in vector])}]",
        "model": EMBEDDING_MODEL,
        "limit": limit,
    }


def recall_nearest(
    *, agent_id: int, person_id: int | None, room_id: int, vector: Vector, limit: int
) -> list[Near]:
    """List the memories nearest to `vector` that may be heard; one query.

    Args:
        agent_id: Whose memories.
        person_id: Who is being answered; None: only what is about nobody.
        room_id: Where the answer will be read.
        vector: A unit vector of the present model.
        limit: At most this many; fewer only if no more may be heard.
    """
    parameters = nearest_parameters(
        agent_id=agent_id, person_id=person_id, room_id=room_id, vector=vector, limit=limit
    )
    with connection.cursor() as cursor:
        cursor.execute(NEAREST_ROWS, parameters)
        return [Near(*row) for row in cursor.fetchall()]


def get_turn_answering(*, turn_id: int, message_id: int) -> Turn | None:
    """Return the turn if the message's author addressed its agent there; one query."""
    return _answering.first(turn_id=turn_id, message_id=message_id)


@prepared
def _answering(turn_id: int, message_id: int) -> QuerySet[Turn]:
    return Turn.objects.filter(_addressed_in(message_id), id=turn_id)


def list_turns_that_answered(*, message_id: int) -> list[Turn]:
    """List the turns that decided on this message, or remembered it, of any agent; one query."""
    remembered = Memory.objects.filter(source_message_id=message_id).values("source_turn_id")
    return list(
        Turn.objects.filter(
            _addressed_in(message_id),
            Q(trigger_kind=Turn.Trigger.MESSAGE, trigger_id=message_id) | Q(id__in=remembered),
        )
        .order_by("agent_id", "-id")
        .distinct("agent_id")
    )


def _addressed_in(message_id: int) -> Q:
    return Q(
        addressed=True,
        person__isnull=False,
        room__messages=message_id,
        person__identities__messages=message_id,
    )


def memorable_messages() -> Q:
    """Select messages that may be remembered, by what is known of room and author."""
    return Q(
        is_known=True,
        deleted_at__isnull=True,
        room__is_tryout=False,
        author__kind__in=[Identity.Kind.HUMAN, Identity.Kind.SCRIPTED],
        author__person__never_remember=False,
        author__person__workspace=F("workspace"),
    )


def get_memorable_message(*, message_id: int) -> Message | None:
    """Return the message with room and author if it may be remembered; one query."""
    return _memorable.first(message_id=message_id)


@prepared
def _memorable(message_id: int) -> QuerySet[Message]:
    return Message.objects.filter(memorable_messages(), id=message_id).select_related(
        "room__parent", "author"
    )


def list_pending(*, limit: int) -> list[Pending]:
    """List the oldest memories that nobody can recall yet for want of a vector; one query."""
    rows = (
        Memory.objects.filter(embedding__isnull=True, withdrawn_at__isnull=True)
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=GreenroomNow()))
        .order_by("id")
        .values_list("id", "text")[:limit]
    )
    return [Pending(*row) for row in rows]
