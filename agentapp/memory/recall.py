"""Finds what an agent may bring up in an answer."""

from __future__ import annotations

from agentapp.memory import queries, rules, services
from agentapp.memory.embeddings import Vector
from agentapp.memory.rules import Recalled

CANDIDATES_PER_PLACE = 4
"""The nearest this many times `limit` are ranked, so that freshness can lift one over another."""


def recall(
    *, agent_id: int, person_id: int | None, room_id: int, vector: Vector, limit: int = 8
) -> list[Recalled]:
    """Find the memories that matter for an answer, best first, and count their use.

    Reads: Memory within the audience of person and room; two statements in all, and exact: fewer
    than `limit` come back only if no more may be heard. Writes: Memory (uses).

    Args:
        agent_id: Who answers.
        person_id: Who is answered; nobody else's memories are found. None: only what is about
            nobody.
        room_id: Where the answer will be read.
        vector: What is being talked about, from `embeddings.embed`.
        limit: At most this many; the same words come once.
    """
    near = queries.recall_nearest(
        agent_id=agent_id,
        person_id=person_id,
        room_id=room_id,
        vector=vector,
        limit=limit * CANDIDATES_PER_PLACE,
    )
    found = rules.best([_recalled(each) for each in near], limit=limit)
    services.mark_used(memory_ids=[each.id for each in found], room_id=room_id)
    return found


def _recalled(near: queries.Near) -> Recalled:
    return Recalled(
        id=near.id,
        text=near.text,
        text_hash=near.text_hash,
        kind=near.kind,
        audience=near.audience,
        person_id=near.person_id,
        source_message_id=near.source_message_id,
        created_at=near.created_at,
        similarity=near.similarity,
        score=rules.relevance(similarity=near.similarity, age=near.age, kind=near.kind),
    )
