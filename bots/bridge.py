"""The border between the connectors' event loop and the synchronous engine.

Nothing else in `bots` runs engine code. Each call takes a thread of a small pool and a database
connection of its own, which it gives back; no transaction spans an await.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from agentapp.foundation.database import fresh_connection
from agentapp.foundation.envelope import Incoming, IncomingDelete, IncomingEdit, IncomingReaction
from agentapp.intake import services as intake
from bots.connector import Shown
from bots.gathering import Gathering

THREADS = 6  # of the database pool's connections

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_TAKE_IN: dict[type, Callable[[Any], object]] = {
    Incoming: intake.accept,
    IncomingEdit: intake.accept_edit,
    IncomingDelete: intake.accept_delete,
    IncomingReaction: intake.accept_reaction,
}


class Bridge:
    """Runs engine code beside the event loop that made it."""

    def __init__(self, *, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="bridge")
        # A lock lets those who wait through in the order in which they came.
        self._turns: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._gathered: dict[Callable[..., Any], Gathering[Any, Any]] = {}

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a synchronous function in a thread and return its answer."""

        def work() -> R:
            with fresh_connection():
                return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def together(self, function: Callable[[Sequence[T]], Sequence[R]], item: T) -> R:
        """Run a synchronous function on this item and others that were handed in meanwhile.

        Args:
            function: Returns what became of each of its items, in their order.
        """
        if function not in self._gathered:

            async def carry(batch: Sequence[T]) -> Sequence[R]:
                return await self.call(function, batch)

            self._gathered[function] = Gathering(carry)
        answer: R = await self._gathered[function].add(item)
        return answer

    async def accept(self, account: Hashable, shown: Shown) -> None:
        """Store what a platform shows a login, in the order in which it was handed over."""
        async with self._turns[account]:
            await self.call(_TAKE_IN[type(shown)], shown)

    def close(self) -> None:
        """Let what runs finish; take nothing new."""
        self._threads.shutdown(wait=False, cancel_futures=True)
