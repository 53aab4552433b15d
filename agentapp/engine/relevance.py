"""How near messages are to what agents care about; computed on this machine, no model is asked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

from agentapp.engine.rules.views import Relevance
from agentapp.foundation.database import released_connection
from agentapp.memory.embeddings import EmbeddingUnavailable, Vector, embed

logger = logging.getLogger(__name__)

INTERESTS_KEPT = 512  # agents whose interests' vectors a process keeps


def relevance(*, text: str, interests: Sequence[tuple[str, ...]]) -> list[Relevance]:
    """Compare one text with the interests of several agents; outside any transaction.

    Returns:
        One per agent, in order; nothing is near where the embedding model is not to be had.
    """
    try:
        with released_connection():
            (vector,) = embed([text])
            return [Relevance(similarity=_nearest(vector, _vectors(each))) for each in interests]
    except EmbeddingUnavailable as error:
        logger.warning("agents join in by keywords only: %s", error)
        return [Relevance() for _ in interests]


@lru_cache(maxsize=INTERESTS_KEPT)
def _vectors(interests: tuple[str, ...]) -> tuple[Vector, ...]:
    return tuple(embed(interests))


def _nearest(vector: Vector, others: Sequence[Vector]) -> float:
    """Return the greatest cosine; the vectors have length 1."""
    return max(
        (sum(a * b for a, b in zip(vector, other, strict=True)) for other in others), default=0.0
    )
