"""Notes to a user about what happened while they were elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from agentapp.identity.models import User
from agentapp.notifications.models import Notification
from agentapp.notifications.queries import unread

MAX_NOTES = 5
# A waiting draft is told by its card and its count already.
TOLD_ELSEWHERE = ("draft.pending",)

_WITH_ID = {"agent": "agent", "room": "room", "turn": "turn", "draft": "draft"}
_BY_KIND = {"invitation": "approvals", "replies.offer": "approvals", "login.": "platforms"}
_WITHOUT = {"budget": "costs", "provider": "settings"}


@dataclass(frozen=True, slots=True)
class NoteShown:
    """One note, with where to look."""

    id: int
    text: str
    url: str
    at: datetime


def show_notes(user: User) -> list[NoteShown]:
    """Return the newest unread notes; one query."""
    rows = unread(user).exclude(kind__in=TOLD_ELSEWHERE)[:MAX_NOTES]
    return [NoteShown(row.pk, row.text, _url(row), row.created_at) for row in rows]


def _url(note: Notification) -> str:
    for kind, page in _BY_KIND.items():
        if note.kind.startswith(kind):
            return reverse(page)
    if note.subject_kind in _WITH_ID:
        return reverse(_WITH_ID[note.subject_kind], args=[note.subject_id])
    return reverse(_WITHOUT.get(note.subject_kind, "home"))
