"""Asks the database once for everybody who wants to know at the same moment.

A thousand pages that come back after a restart each ask who they are and what they may see; asked
together, that is a few queries.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dashboard import border

K = TypeVar("K")
V = TypeVar("V")


@dataclass(eq=False)
class Reading(Generic[K, V]):
    """One look at the database: for whom, what was found, and from when on that is true.

    Attributes:
        begun_at: Monotonic seconds; nothing found is older.
    """

    keys: set[K] = field(default_factory=set)
    found: dict[K, V] | None = None
    begun_at: float = 0.0

    def serves(self, keys: Collection[K], not_before: float) -> bool:
        """Say whether it is about all of these and began since then."""
        return self.begun_at >= not_before and self.keys.issuperset(keys)


class Together(Generic[K, V]):
    """A set-based read, one at a time; who asks meanwhile is answered by the next one.

    Args:
        read: Takes keys and returns what was found by key.
    """

    def __init__(self, read: Callable[[Collection[K]], dict[K, V]]) -> None:
        self._read = read
        self._next: Reading[K, V] = Reading()
        self._latest: Reading[K, V] = Reading()
        self._lock = asyncio.Lock()

    async def ask(
        self, keys: Collection[K], *, not_before: float | None = None
    ) -> tuple[dict[K, V], float]:
        """Return what a read found that began after this call, and when it began.

        With `not_before` (monotonic seconds) the latest read will do that began since then.

        Raises:
            DatabaseError: The read failed.
        """
        mine = self._next
        if not_before is not None and self._latest.serves(keys, not_before):
            mine = self._latest
        else:
            mine.keys.update(keys)
        async with self._lock:
            if mine.found is None:  # nobody has read for this company yet
                if self._next is mine:
                    self._next = Reading()
                self._latest = mine
                mine.begun_at = time.monotonic()
                mine.found = await border.call(self._read, mine.keys)
            found = mine.found
        return {key: found[key] for key in keys if key in found}, mine.begun_at
