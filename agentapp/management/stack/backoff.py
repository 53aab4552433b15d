"""How long to wait before a crashed child is started again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 10.0
STABLE_SECONDS = 60.0  # a child that ran this long has earned a fresh start


@dataclass
class Backoff:
    """Doubles from `FIRST_SECONDS` to `LONGEST_SECONDS` until a child has run stably."""

    crashes: int = 0

    def next_delay(self, *, ran_seconds: float) -> float:
        """Return the seconds to wait after a crash, given how long the child had run."""
        if ran_seconds >= STABLE_SECONDS:
            self.crashes = 0
        self.crashes += 1
        doublings = min(self.crashes - 1, 10)  # far past the longest delay
        return min(FIRST_SECONDS * 2.0**doublings, LONGEST_SECONDS)
