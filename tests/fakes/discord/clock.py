"""Time and ids: both run with the real clock, and tests may put it forward."""

from __future__ import annotations

import time
from datetime import UTC, datetime

EPOCH_MS = 1_420_070_400_000  # Discord's ids count from the first second of 2015


class Clock:
    """The real time plus what a test has added, so that no test has to wait minutes."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._last = 0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds

    def snowflake(self) -> int:
        """Return a new id: later ids are greater, also inside one millisecond."""
        fresh = (int(self.now() * 1000) - EPOCH_MS) << 22
        self._last = max(self._last + 1, fresh)
        return self._last


def written(seconds: float) -> str:
    """Return a time as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def read(text: str) -> float:
    """Return the time that was written."""
    return datetime.fromisoformat(text).timestamp()
