"""Reading moderation."""

from __future__ import annotations

from agentapp.moderation.models import ModerationAction


def active_suspension(agent_id: int) -> ModerationAction | None:
    """Return what suspends an agent, or None."""
    return (
        ModerationAction.objects.filter(
            agent_id=agent_id,
            kind=ModerationAction.Kind.SUSPEND,
            state=ModerationAction.State.ACTIVE,
        )
        .select_related("by")
        .first()
    )
