"""What owners, moderators and the clock do beside an answer. Doing it twice is allowed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from agentapp import tasks
from agentapp.drafts import services as drafts
from agentapp.drafts.errors import DraftChanged, DraftNotPending, TooLateToUndo
from agentapp.drafts.models import Draft
from agentapp.foundation import clock
from agentapp.foundation.database import fresh_connection
from agentapp.foundation.errors import Conflict
from agentapp.moderation import services as moderation


def edit(*, draft_id: int, text: str) -> None:
    """Write another text on a waiting card."""
    with fresh_connection(), suppress(DraftNotPending, DraftChanged):
        draft = _draft(draft_id)
        if draft.text != text:
            drafts.edit(draft_id=draft_id, version=draft.version, by=draft.agent.owner, text=text)


def reject(*, draft_id: int) -> None:
    """Refuse a waiting card."""
    with fresh_connection(), suppress(DraftNotPending):
        drafts.reject(draft_id=draft_id, by=_draft(draft_id).agent.owner)


def undo(*, draft_id: int) -> None:
    """Take an approval back within its seconds."""
    with fresh_connection(), suppress(TooLateToUndo):
        drafts.undo(draft_id=draft_id, by=_draft(draft_id).agent.owner)


def retract(*, draft_id: int) -> None:
    """Take back what was published."""
    with fresh_connection(), suppress(DraftNotPending):
        drafts.retract(draft_id=draft_id, by=_draft(draft_id).agent.owner)


def suspend(*, agent_id: int, seconds: int = 0) -> None:
    """Stop an agent; returns when nothing of it begins to leave any more."""
    with fresh_connection(), suppress(Conflict):
        until = clock.now() + timedelta(seconds=seconds) if seconds else None
        moderation.suspend(agent_id=agent_id, by=None, until=until)


def lift(*, agent_id: int) -> None:
    """Let a stopped agent go on."""
    with fresh_connection(), suppress(Conflict):
        moderation.lift(agent_id=agent_id, by=None)


def tick(*, hand: str) -> None:
    """Do what a worker does when the clock says so."""
    HANDS[hand]()


def _draft(draft_id: int) -> Draft:
    return Draft.objects.select_related("agent__owner").get(pk=draft_id)


HANDS: dict[str, Callable[[], int]] = {
    "drafts": tasks.tick_drafts,
    "gateway": tasks.tick_gateway,
    "memory": tasks.tick_memory,
    "safety": tasks.tick_safety,
    "talks": tasks.tick_talks,
}

ERRANDS: dict[str, Callable[..., None]] = {
    "edit": edit,
    "reject": reject,
    "undo": undo,
    "retract": retract,
    "suspend": suspend,
    "lift": lift,
    "tick": tick,
}

ERRAND_OF = {
    "edit.written": "edit",
    "rejection.written": "reject",
    "undo.written": "undo",
    "retraction.written": "retract",
    "stop.written": "suspend",
    "stop.committed": "suspend",
    "lift.written": "lift",
    "stop.ended": "tick",
    "expiry.written": "tick",
    "loss.written": "tick",
    "talk.claimed": "tick",
    "talk.written": "tick",
    "vector.written": "tick",
}
