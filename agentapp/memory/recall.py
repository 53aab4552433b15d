"""Finds what an agent may bring up in an answer."""

from __future__ import annotations

from agentapp.memory import queries, rules, services
from agentapp.memory.embeddings import EMBEDDING_MODEL, Vector
from agentapp.memory.queries import RANK_OF_A_WORD, Heard
from agentapp.memory.rules import Recalled

CANDIDATES_PER_PLACE = 4
"""The nearest this many times `limit` are ranked, so that freshness can lift one over another."""


def recall(
    *,
    agent_id: int,
    person_id: int | None,
    room_id: int,
    vector: Vector | None,
    said: str = "",
    limit: int = 8,
    model: str = EMBEDDING_MODEL,
) -> list[Recalled]:
    """Find the memories that matter for an answer, best first, and count the use of what fits.

    Reads: Memory within the audience of person and room, in one statement, and exact: fewer than
    `limit` come back only if no more may be heard. Writes: Memory (uses), in a second statement
    when something fits.

    Args:
        agent_id: Who answers.
        person_id: Who is answered; nobody else's memories are found. None: only what is about
            nobody.
        room_id: Where the answer will be read.
        vector: What is being talked about, from `embeddings`; None searches by words alone.
        said: The same as text, to search by words as well.
        limit: At most this many; the same words come once.
        model: Whose vector it is.
    """
    heard = queries.list_heard(
        agent_id=agent_id,
        person_id=person_id,
        room_id=room_id,
        vector=vector,
        words=rules.asked_words(said),
        limit=limit * CANDIDATES_PER_PLACE,
        model=model,
    )
    found = rules.best([_recalled(each) for each in heard], limit=limit)
    used = [each.id for each in found if each.nearness >= rules.FITS_FROM]
    services.mark_used(memory_ids=used, room_id=room_id)
    return found


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
