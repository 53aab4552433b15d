"""Writes of memories."""

from __future__ import annotations

from agentapp.memory.services.remembering import (
    mark_used,
    remember,
    remember_words,
    rewrite_from_message,
    set_vector,
    text_hash,
    withdraw_from_message,
)

__all__ = [
    "mark_used",
    "remember",
    "remember_words",
    "rewrite_from_message",
    "set_vector",
    "text_hash",
    "withdraw_from_message",
]
