"""Reading how an agent has been received."""

from __future__ import annotations

from agentapp.feedback.models import Feedback

RECENT = 50  # rewards that count towards the standing


def standing(agent_id: int) -> float:
    """Return the mean of an agent's latest rewards, in [-2, 1]; 0.0 when there are none."""
    values = list(
        Feedback.objects.filter(agent_id=agent_id)
        .order_by("-id")
        .values_list("value", flat=True)[:RECENT]
    )
    return sum(values) / len(values) if values else 0.0
