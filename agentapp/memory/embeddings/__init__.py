"""Sentence vectors made on this machine: all-MiniLM-L6-v2 without torch.

Importing this package loads neither numpy nor a model; the first `embed` of a process does.
"""

from __future__ import annotations

from agentapp.memory.embeddings.runtime import embed
from agentapp.memory.embeddings.vectors import (
    EMBEDDING_DIMENSIONS,
    EMBEDDING_MODEL,
    EmbeddingUnavailable,
    Vector,
)

__all__ = [
    "EMBEDDING_DIMENSIONS",
    "EMBEDDING_MODEL",
    "EmbeddingUnavailable",
    "Vector",
    "embed",
]
