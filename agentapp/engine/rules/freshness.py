"""What is still worth an answer after the agent could not read for a while."""

from __future__ import annotations

from agentapp.engine.rules.views import Line, View

AWAY_MINUTES = 5.0  # from here on an answer says that it comes late


def is_fresh(line: Line, *, view: View) -> bool:
    """Say whether a message is young enough, and the talk has not moved on since."""
    newer = sum(other.id > line.id for other in view.lines)
    return (
        line.minutes_old <= view.mind.limit("fresh_minutes").value
        and newer <= view.mind.limit("fresh_messages").value
    )


def too_late(line: Line) -> str:
    """Say why a message is not answered any more."""
    if line.minutes_old < 1:
        return "The talk has moved on since."
    return f"It was {_minutes(line.minutes_old)} old when it could be read."


def minutes_away(minutes_old: float) -> int:
    """Return how late an answer comes, in whole minutes; 0 when nobody would notice."""
    return round(minutes_old) if minutes_old >= AWAY_MINUTES else 0


def _minutes(count: float) -> str:
    whole = round(count)
    return "a minute" if whole <= 1 else f"{whole} minutes"
