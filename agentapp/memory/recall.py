"""Finds what an agent may bring up in an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentapp.memory import queries, rules, services
from agentapp.memory.embeddings import EMBEDDING_MODEL, Vector
from agentapp.memory.queries import RANK_OF_A_WORD, Heard, Listening
from agentapp.memory.rules import Recalled

CANDIDATES_PER_PLACE = 4
"""The nearest this many times `limit` are ranked, so that freshness can lift one over another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What is looked for, for one answer.

    Attributes:
        agent_id: Who answers.
        person_id: Who is answered; nobody else's memories are found. None: only what is about
            nobody.
        room_id: Where the answer will be read.
        vector: What is being talked about, from `embeddings`; None searches by words alone.
        said: The same as text, to search by words as well.
        limit: At most this many; the same words come once.
        model: Whose vector it is.
    """

    agent_id: int
    person_id: int | None
    room_id: int
    vector: Vector | None
    said: str = ""
    limit: int = 8
    model: str = EMBEDDING_MODEL


def recall_all(asked: Sequence[Recall]) -> list[list[Recalled]]:
    """Find the memories that matter for answers, best first, and count the use of what fits.

    Reads: Memory within the audience of person and room, in one statement for all answers, and
    exact: fewer than `limit` come back only if no more may be heard. Writes: Memory (uses), in a
    second statement when something fits.
    """
    heard = queries.list_heard([_listening(each) for each in asked])
    found = [
        rules.best([_recalled(each) for each in rows], limit=one.limit)
        for one, rows in zip(asked, heard, strict=True)
    ]
    services.mark_used(
        [
            (each.id, one.room_id)
            for one, memories in zip(asked, found, strict=True)
            for each in memories
            if each.nearness >= rules.FITS_FROM
        ]
    )
    return found


def recall(asked: Recall) -> list[Recalled]:
    """Find the memories for one answer, as `recall_all` does."""
    return recall_all([asked])[0]


def _listening(asked: Recall) -> Listening:
    return Listening(
        agent_id=asked.agent_id,
        person_id=asked.person_id,
        room_id=asked.room_id,
        vector=asked.vector,
        words=rules.asked_words(asked.said),
        limit=asked.limit * CANDIDATES_PER_PLACE,
        model=asked.model,
    )


def _recalled(heard: Heard) -> Recalled:
    near = rules.nearness(
        similarity=heard.similarity, word_share=heard.rank / RANK_OF_A_WORD if heard.rank else 0.0
    )
    return Recalled(
        id=heard.id,
        text=heard.text,
        kind=heard.kind,
        audience=heard.audience,
        person_id=heard.person_id,
        source_message_id=heard.source_message_id,
        created_at=heard.created_at,
        similarity=heard.similarity,
        nearness=near,
        score=rules.relevance(
            nearness=near,
            age=heard.age,
            kind=heard.kind,
            importance=heard.importance,
            uses=heard.uses,
        ),
    )
