"""Decides whether the demo speaks, waits or ends. Pure: `now` is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

WATCHED_FOR = timedelta(seconds=20)  # a page says every few seconds that somebody looks at it
HEARTBEAT_EVERY = timedelta(seconds=5)  # more often than this writes nothing
LONGEST_WATCH = timedelta(minutes=15)
MOST_MESSAGES = 200

QUICK_LINES = 4  # the first ones come at once, so that something waits within seconds
QUICK_PAUSE = timedelta(seconds=2)
SHORTEST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(seconds=9)
PER_CHARACTER = timedelta(seconds=0.07)  # a fast reader
FOR_AN_ANSWER = timedelta(seconds=3)


class Move(StrEnum):
    """What the demo does now."""

    WAIT = "wait"
    SPEAK = "speak"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a demo stands. `messages` counts everything said in its room, answers included."""

    messages: int
    watched_at: datetime | None
    next_line_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """A move, with the reason when it is the last one."""

    move: Move
    reason: str = ""


def decide(standing: Standing, *, now: datetime) -> Decision:
    """Say what a demo that has not stopped does now."""
    if standing.messages >= MOST_MESSAGES:
        return Decision(Move.STOP, "messages")
    if not is_watched(standing.watched_at, now=now):
        return Decision(Move.WAIT)
    if now >= standing.ends_at:
        return Decision(Move.STOP, "time")
    return Decision(Move.SPEAK if now >= standing.next_line_at else Move.WAIT)


def is_watched(watched_at: datetime | None, *, now: datetime) -> bool:
    """Say whether somebody had the page open within the last `WATCHED_FOR`."""
    return watched_at is not None and now - watched_at < WATCHED_FOR


def prolonged_end(ends_at: datetime, *, watched_at: datetime | None, now: datetime) -> datetime:
    """Return the end once somebody looks again: time nobody watched does not count."""
    if watched_at is None:
        return now + LONGEST_WATCH
    unwatched = now - (watched_at + WATCHED_FOR)
    return ends_at + max(unwatched, timedelta(0))


def line_index(n: int, *, count: int, loop_from: int) -> int:
    """Return which line is the n-th (from 0): straight through once, then round from the loop."""
    return n if n < count else loop_from + (n - count) % (count - loop_from)


def pause_before(*, text: str, n: int, after_question: bool) -> timedelta:
    """Return how long the room is quiet before the n-th line is said.

    Args:
        text: The line that will be said.
        n: How many lines were said before.
        after_question: The line before addressed an agent, who needs a moment.
    """
    if n < QUICK_LINES:
        return QUICK_PAUSE
    written = min(max(PER_CHARACTER * len(text), SHORTEST_PAUSE), LONGEST_PAUSE)
    return written + (FOR_AN_ANSWER if after_question else timedelta(0))
