"""Reads of memories."""

from __future__ import annotations

from agentapp.memory.queries.hearing import RANK_OF_A_WORD, Heard, Listening, list_heard
from agentapp.memory.queries.sources import (
    Pending,
    count_moved,
    get_memorable_message,
    get_turn_answering,
    is_forgotten,
    list_pending,
    list_stale,
    list_turns_that_answered,
    made_of,
    memorable_messages,
)

__all__ = [
    "RANK_OF_A_WORD",
    "Heard",
    "Listening",
    "Pending",
    "count_moved",
    "get_memorable_message",
    "get_turn_answering",
    "is_forgotten",
    "list_heard",
    "list_pending",
    "list_stale",
    "list_turns_that_answered",
    "made_of",
    "memorable_messages",
]
