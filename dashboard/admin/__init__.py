"""Loads every slice's tables into the admin."""

from __future__ import annotations

from dashboard.admin import (
    conversation,
    demo,
    drafts,
    events,
    feedback,
    identity,
    intake,
    llm,
    memory,
    moderation,
    notifications,
    presence,
    relations,
    safety,
    turns,
)

__all__ = [
    "conversation",
    "demo",
    "drafts",
    "events",
    "feedback",
    "identity",
    "intake",
    "llm",
    "memory",
    "moderation",
    "notifications",
    "presence",
    "relations",
    "safety",
    "turns",
]
