"""Gives memories the vectors that could not be computed when they were made."""

from __future__ import annotations

import logging

from agentapp.foundation.database import released_connection
from agentapp.memory import queries, services
from agentapp.memory.embeddings import EmbeddingUnavailable, embed

logger = logging.getLogger(__name__)

PENDING_LIMIT = 64


def complete_pending(*, limit: int = PENDING_LIMIT) -> int:
    """Embed the oldest memories that have no vector; harmless when run twice at once.

    Reads: Memory. Calls: the local embedding model, outside any transaction.
    Writes: Memory (its vector).

    Returns:
        How many memories can be recalled now that could not before; 0 while there is no model.
    """
    pending = queries.list_pending(limit=limit)
    if not pending:
        return 0
    try:
        with released_connection():
            vectors = embed([memory.text for memory in pending])
    except EmbeddingUnavailable as error:
        logger.warning("%d memories still wait for their vectors: %s", len(pending), error)
        return 0
    return sum(
        services.set_vector(memory_id=memory.id, text=memory.text, vector=vector)
        for memory, vector in zip(pending, vectors, strict=True)
    )
