"""The events of a draft's life, in one spelling."""

from __future__ import annotations

from collections.abc import Iterable

from agentapp.drafts.models import Draft
from agentapp.events.models import Event
from agentapp.events.services import record_many


def note(draft: Draft, what: str, *, by_id: int | None = None, **payload: object) -> None:
    """Record `agent.draft.<what>` inside the caller's transaction."""
    note_all([draft], what, by_id=by_id, **payload)


def note_all(
    drafts: Iterable[Draft], what: str, *, by_id: int | None = None, **payload: object
) -> None:
    """Record the same of several drafts in one statement."""
    record_many([entry(draft, what, by_id=by_id, **payload) for draft in drafts])


def entry(draft: Draft, what: str, *, by_id: int | None = None, **payload: object) -> Event:
    """Return the event `agent.draft.<what>`, to be recorded together with others."""
    return Event(
        type=f"agent.draft.{what}",
        subject_kind="draft",
        subject_id=str(draft.pk),
        workspace_id=draft.workspace_id,
        agent_id=draft.agent_id,
        room_id=draft.room_id,
        actor_kind="user" if by_id else "system",
        actor_id=str(by_id or ""),
        payload={
            "kind": draft.kind,
            "status": draft.status,
            "version": draft.version,
            **payload,
        },
    )
