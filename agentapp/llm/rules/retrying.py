"""Whether and when a failed request is sent again."""

from __future__ import annotations

import random

from agentapp.llm.adapters.protocol import FailureKind

MAX_ATTEMPTS = 4
ATTEMPTS_BEFORE_THE_NEXT = 2  # at a server that is not the last one
SHARE_BEFORE_THE_NEXT = 0.5  # of the time left, in which such a server must begin to answer
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 8.0
ROOM_TO_ANSWER_SECONDS = 1.0  # a try with less time than this left is not worth its money
_WORTH_RETRYING = {FailureKind.BUSY, FailureKind.SERVER, FailureKind.CONNECTION}


def retry_wait(
    kind: FailureKind,
    *,
    attempt: int,
    retry_after: float | None,
    remaining: float,
    rng: random.Random,
    most_attempts: int = MAX_ATTEMPTS,
) -> float | None:
    """Return how many seconds to wait before the next try, or None to give up.

    Args:
        kind: Why the last try failed.
        attempt: How many tries there were.
        retry_after: What the server asked for, in seconds; we wait at least that long.
        remaining: Seconds until the deadline of the whole call.
        rng: Spreads the tries of many callers.
        most_attempts: Fewer where another server can be asked instead.
    """
    if kind not in _WORTH_RETRYING or attempt >= most_attempts:
        return None
    if retry_after is not None:
        wait = retry_after + rng.uniform(0, FIRST_WAIT_SECONDS)
    else:
        most = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (attempt - 1))
        wait = rng.uniform(most / 2, most)
    return wait if wait + ROOM_TO_ANSWER_SECONDS <= remaining else None


def parsed_retry_after(value: str | None) -> float | None:
    """Read a Retry-After header in seconds; a date or nonsense counts as not given."""
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None
