"""What an embedding is here: its type, its size, its model's name, and its one error."""

from __future__ import annotations

from typing import TypeAlias

from agentapp.foundation.errors import Unavailable

EMBEDDING_MODEL = "all-MiniLM-L6-v2"
"""Stored beside every vector: vectors of different models cannot be compared."""

EMBEDDING_DIMENSIONS = 384

Vector: TypeAlias = list[float]
"""EMBEDDING_DIMENSIONS floats of Euclidean length 1."""


class EmbeddingUnavailable(Unavailable):
    """The local embedding model cannot be used."""
