"""Writing reward signals."""

from __future__ import annotations

from agentapp.feedback.models import Feedback


def reward(
    *,
    agent_id: int,
    workspace_id: int,
    target_kind: str,
    target_id: int,
    source: str,
    value: float,
    note: str = "",
) -> None:
    """Note a reward in [-2, 1]; the second one of the same source on the same target is dropped."""
    Feedback.objects.bulk_create(
        [
            Feedback(
                agent_id=agent_id,
                workspace_id=workspace_id,
                target_kind=target_kind,
                target_id=target_id,
                source=source,
                value=value,
                note=note[:400],
            )
        ],
        ignore_conflicts=True,
    )
