"""The events of a draft's life, in one spelling."""

from __future__ import annotations

from agentapp.drafts.models import Draft
from agentapp.events.services import record


def note(draft: Draft, what: str, *, by_id: int | None = None, **payload: object) -> None:
    """Record `agent.draft.<what>` inside the caller's transaction."""
    record(
        type=f"agent.draft.{what}",
        subject_kind="draft",
        subject_id=draft.pk,
        workspace_id=draft.workspace_id,
        agent_id=draft.agent_id,
        room_id=draft.room_id,
        actor_id=by_id,
        payload={
            "kind": draft.kind,
            "status": draft.status,
            "version": draft.version,
            **payload,
        },
    )
