"""Answers to commands that only one member sees, between a room's talk and its composer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agentapp.commands.queries import shown_to
from agentapp.identity.models import User

MOST = 5  # of the newest; older ones appear when these are dismissed


@dataclass(frozen=True, slots=True)
class AsideShown:
    """One answer, as Markdown."""

    id: int
    command: str
    text: str
    at: datetime


def show_asides(user: User, *, room_id: int) -> list[AsideShown]:
    """Return what waits for this user in a room, the oldest first; one query."""
    newest = shown_to(user, room_id=room_id).order_by("-pk")[:MOST]
    rows = sorted(newest, key=lambda row: row.pk)
    return [AsideShown(row.pk, row.command, row.words, row.created_at) for row in rows]
