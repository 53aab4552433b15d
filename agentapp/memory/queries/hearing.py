"""Finds memories. Who may hear one is decided here, in SQL, before anything else is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentapp.foundation.prepared import planned
from agentapp.memory.embeddings import EMBEDDING_MODEL, Vector
from agentapp.memory.queries.halves import Halves, ManyHalves, take_halves

# In every step that reads memories, before distance or words are looked at.
#
# What is asked for stands in subqueries: the planner then has nothing to gain from looking at the
# values, and the server keeps one plan instead of making one for every recall.
_THEIRS = """
    memory.workspace_id = place.workspace_id
    AND memory.agent_id = (SELECT %(agent_id)s::bigint)
    AND memory.person_id = (SELECT %(person_id)s::bigint) AND place.may_remember
    AND (place.is_own_direct
        OR (memory.audience = 'public' AND place.is_public)
        OR (memory.audience = 'room' AND memory.room_id = place.room_id AND NOT place.is_public))
"""
_NOBODYS = """
    memory.workspace_id = place.workspace_id
    AND memory.agent_id = (SELECT %(agent_id)s::bigint)
    AND memory.person_id IS NULL AND memory.audience = 'agent'
"""
_HOLDS = """
    memory.withdrawn_at IS NULL AND memory.deleted_at IS NULL
    AND (memory.expires_at IS NULL OR memory.expires_at > place.now)
"""
_COMPARABLE = """
    memory.embedding IS NOT NULL AND memory.embedding_model = (SELECT %(model)s::text)
"""

MOST_MATCHES = 500
"""Words that more memories of one person hold than this hardly tell them apart: any will do."""

_RANK = """
    greatest(ts_rank(memory.words, %(their_words)s::tsquery),
        ts_rank(memory.words, %(nobodys_words)s::tsquery))
"""

# `place` is one row: where the answer goes and to whom. Without it (another workspace's room, an
# agent that is not there) nothing is found. A direct room counts as the person's own only while
# that person is in it and no other person ever was.
#
# `near` is MATERIALIZED: no index that orders by distance may come before the audience, since it
# would look at the nearest rows of everybody and then find too few that may be heard. Both its
# halves name every column through `memory_cover`, so they read that index and not the table.
#
# `matching` and `worded` find by words what has no vector of the present model, and what meaning
# alone puts too far down. Their index holds whose word each is; the audience filter holds there as
# well, whatever the index says.
FOUND = f"""
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
                AND NOT person.never_remember AND person.stopped_at IS NULL)
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
    FROM agentapp_memory memory JOIN place ON {_THEIRS} AND {_COMPARABLE} AND {_HOLDS}
    UNION ALL
    SELECT memory.id, memory.embedding <=> place.asked AS distance
    FROM agentapp_memory memory JOIN place ON {_NOBODYS} AND {_COMPARABLE} AND {_HOLDS}
),
matching AS MATERIALIZED (
    SELECT memory.id, memory.words
    FROM agentapp_memory memory
    JOIN place ON (({_THEIRS}) OR ({_NOBODYS})) AND {_HOLDS}
    WHERE memory.words @@ (SELECT %(their_words)s::tsquery || %(nobodys_words)s::tsquery)
    LIMIT {MOST_MATCHES}
),
worded AS MATERIALIZED (SELECT memory.id, {_RANK} AS rank FROM matching memory)
(SELECT id FROM near WHERE distance IS NOT NULL
    ORDER BY distance, id LIMIT (SELECT %(limit)s::bigint))
UNION
(SELECT id FROM worded ORDER BY rank DESC, id LIMIT (SELECT %(limit)s::bigint))
"""  # noqa: S608  (constants of this file)

FOUND_ROWS = f"""
WITH found AS MATERIALIZED ({FOUND}),
asked AS MATERIALIZED (
    SELECT %(vector)s::halfvec AS vector, (SELECT greenroom_now()) AS now
)
SELECT memory.id, memory.text, memory.kind, memory.audience, memory.person_id,
    memory.source_message_id, memory.created_at, memory.importance, memory.uses,
    asked.now - coalesce(memory.corrected_at, memory.created_at) AS age,
    CASE WHEN memory.embedding_model = %(model)s
        THEN 1 - (memory.embedding <=> asked.vector) END AS similarity,
    coalesce({_RANK}, 0) AS rank
FROM found JOIN agentapp_memory memory ON memory.id = found.id CROSS JOIN asked
"""  # noqa: S608  (constants of this file)

_ASKED_FOR = {
    "agent_id": "bigint",
    "person_id": "bigint",
    "room_id": "bigint",
    "vector": "halfvec",
    "their_words": "text",
    "nobodys_words": "text",
    "model": "text",
    "limit": "bigint",
}


def of_each(statement: str) -> str:
    """Return one of the statements above for each row of `columns`; `n` counts these from 1."""
    given = ", ".join(f"%({name})s::{kind}[]" for name, kind in _ASKED_FOR.items())
    names = ", ".join(f'"{name}"' for name in _ASKED_FOR)
    one = statement % {name: f'call."{name}"' for name in _ASKED_FOR}
    return (
        f"SELECT call.n, heard.* FROM unnest({given}) WITH ORDINALITY AS call({names}, n)"  # noqa: S608  (constants of this file)
        f" CROSS JOIN LATERAL ({one}) AS heard"
    )


FOUND_OF_EACH = of_each(FOUND_ROWS)

RANK_OF_A_WORD = 0.0607927
"""`ts_rank` of a memory with one word of a query of one word; it is shared out among more."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A memory that may be heard, and what its rank is made of.

    `similarity` is a cosine in [-1, 1], None without a vector of the present model; `rank` is
    what Postgres says of the words.
    """

    id: int
    text: str
    kind: str
    audience: str
    person_id: int | None
    source_message_id: int | None
    created_at: datetime
    importance: float
    uses: int
    age: timedelta
    similarity: float | None
    rank: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What is asked for.

    Attributes:
        agent_id: Whose memories.
        person_id: Who is being answered; None: only what is about nobody.
        room_id: Where the answer will be read.
        vector: A unit vector of `model`; None looks at words alone.
        words: From `rules.asked_words`; without any it looks at meaning alone.
        limit: At most this many by meaning and as many by words; fewer only if no more fit.
        model: Vectors of other models are not comparable and passed over.
    """

    agent_id: int
    person_id: int | None
    room_id: int
    vector: Vector | None
    words: Sequence[str]
    limit: int
    model: str = EMBEDDING_MODEL


def parameters(asked: Listening) -> dict[str, Any]:
    """Return what `FOUND` is asked with."""
    return {
        "agent_id": asked.agent_id,
        "person_id": asked.person_id,
        "room_id": asked.room_id,
        "vector": None if asked.vector is None else Halves(asked.vector),
        "their_words": _words_of(asked.agent_id, asked.person_id or 0, asked.words),
        "nobodys_words": _words_of(asked.agent_id, 0, asked.words),
        "model": asked.model,
        "limit": asked.limit,
    }


def columns(asked: Sequence[Listening], *, kind: int) -> dict[str, Any]:
    """Return what statements `of_each` are asked with; `kind` is from `take_halves`."""
    calls = [parameters(each) for each in asked]
    found: dict[str, Any] = {name: [call[name] for call in calls] for name in _ASKED_FOR}
    return found | {"vector": ManyHalves(found["vector"], kind=kind)}


def list_heard(asked: Sequence[Listening]) -> list[list[Heard]]:
    """List for each question what may be heard and fits by meaning or by words, in no order.

    One query for all of them.
    """
    if not asked:
        return []
    connection.ensure_connection()
    kind = take_halves(connection.connection)
    with planned() as cursor:
        cursor.execute(FOUND_OF_EACH, columns(asked, kind=kind))
        rows = cursor.fetchall()
    found: list[list[Heard]] = [[] for _ in asked]
    for n, *row in rows:
        found[n - 1].append(Heard(*row))
    return found


def _words_of(agent_id: int, person_id: int, words: Sequence[str]) -> str | None:
    """Return words as one query for an owner's: `'3.4.exam':* | '3.4.rome'`."""
    asked = [_word_of(f"{agent_id}.{person_id}", word) for word in words]
    return " | ".join(asked) or None


def _word_of(owner: str, word: str) -> str:
    stem = word.removesuffix("*")
    return f"'{owner}.{stem}'" + (":*" if stem != word else "")
