"""Shows that an agent is writing, exactly while a model works on its words."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Generic, TypeVar

from django.db import Error as DatabaseError

from agentapp.foundation.errors import AgentError

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

LOOK_SECONDS = 0.7  # between two looks at who is thinking
QUIET_SECONDS = 15.0  # after a message, in which a thought may still begin
LONGEST_SECONDS = 120.0  # for one room in a row; platforms dislike endless writing


class Typing(Generic[K]):
    """Follows agents' thoughts for a while after each message that they hear.

    Args:
        thinking: Returns where one thinks now: its room, or who it is as well.
        show: Tells the platform; where it fails, nothing else does.
        renew_seconds: After which the platform has to be told again.
    """

    def __init__(
        self,
        *,
        thinking: Callable[[], Awaitable[Collection[K]]],
        renew_seconds: float,
        show: Callable[[K, bool], Awaitable[None]],
    ) -> None:
        self._thinking = thinking
        self._renew_seconds = renew_seconds
        self._show_one = show
        self._began: dict[K, float] = {}  # where, and when it was first said (monotonic)
        self._shown: dict[K, float] = {}  # and when it was last said
        self._until = 0.0  # monotonic
        self._task: asyncio.Task[None] | None = None

    def heard(self) -> None:
        """Start looking, or go on: something was said that may be answered."""
        self._until = time.monotonic() + QUIET_SECONDS
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Stop looking. What is shown fades by itself."""
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        while time.monotonic() < self._until or self._shown:
            try:
                await self._show(set(await self._thinking()))
            except (AgentError, DatabaseError) as error:
                logger.debug("typing is not shown: %s", type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _show(self, thinking: set[K]) -> None:
        now = time.monotonic()
        for room in set(self._shown) - thinking:
            del self._shown[room], self._began[room]
            await self._show_one(room, False)
        for room in thinking:
            is_fresh = now - self._shown.get(room, -self._renew_seconds) < self._renew_seconds
            if not is_fresh and now - self._began.setdefault(room, now) < LONGEST_SECONDS:
                self._shown[room] = now
                await self._show_one(room, True)
