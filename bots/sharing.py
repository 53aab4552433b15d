"""Gives logins to processes that have fewer, each once nothing of it is under way here."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Collection

from django.db import Error as DatabaseError

logger = logging.getLogger(__name__)

AT_ONCE = 50  # logins on their way out; each is offline for a moment
LOOK_SECONDS = 0.05  # between two looks whether something is still under way
PATIENCE_SECONDS = 8.0  # longer than a piece may be on the wire


class Sharing:
    """Hands logins over softly: nothing new is begun for them, what was begun ends first.

    Args:
        is_busy: Whether something of a login is under way.
        let_go: Ends their connectors and gives their leases back.
    """

    def __init__(
        self,
        *,
        is_busy: Callable[[uuid.UUID], bool],
        let_go: Callable[[list[uuid.UUID]], Awaitable[None]],
    ) -> None:
        self.leaving: set[uuid.UUID] = set()
        self._is_busy = is_busy
        self._let_go = let_go
        self._task: asyncio.Task[None] | None = None

    def give(self, surplus: Collection[uuid.UUID]) -> None:
        """Begin to hand these logins over, unless others are still on their way."""
        if self.leaving or not surplus:
            return
        self.leaving.update(list(surplus)[:AT_ONCE])
        self._task = asyncio.create_task(self._hand_over())

    async def stop(self) -> None:
        """Hand nothing more over; what was begun is as it was."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _hand_over(self) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        try:
            while self.leaving:
                is_over = time.monotonic() > give_up
                some = [pk for pk in self.leaving if is_over or not self._is_busy(pk)]
                if some:
                    await self._let_go(some)
                    self.leaving.difference_update(some)
                else:
                    await asyncio.sleep(LOOK_SECONDS)
        except DatabaseError as error:
            # Their leases go on; the next look finds that nobody runs them and tries again.
            logger.warning("logins could not be given back: %s", type(error).__name__)
        finally:
            self.leaving.clear()
