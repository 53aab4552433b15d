"""When a card may ring, and what one says once it is decided. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

RING_EVERY = timedelta(minutes=15)
RINGS_A_DAY = 10

_ENDED = {
    "rejected": "Skipped{by}.",
    "expired": "It expired.",
    "withdrawn": "The conversation moved on, so it was withdrawn.",
    "blocked": "Held back: {reason}",
    "failed": "It could not be sent: {reason}",
    "retracted": "Taken back.",
}
_SENT = {"approved", "publishing", "published", "unknown"}


def is_silent(rung: list[datetime], *, now: datetime) -> bool:
    """Say whether one more card comes without a push.

    Args:
        rung: When others rang within the last day.
    """
    recent = [at for at in rung if now - at < timedelta(days=1)]
    return len(recent) >= RINGS_A_DAY or any(now - at < RING_EVERY for at in recent)


def outcome(*, status: str, by: str, reason: str) -> str:
    """Return what became of a draft, in one line; "" while it waits."""
    if status in _SENT:
        return f"Sent by {by}." if by else "Sent."
    words = _ENDED.get(status, "")
    said_by = f" by {by}" if by else ""
    return words.format(by=said_by, reason=reason or "see the dashboard.")
