"""The border between the connectors' event loop and the synchronous engine.

Nothing else in `bots` runs engine code. Each call takes a thread of a small pool and a database
connection of its own, which it gives back; no transaction spans an await.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from agentapp.foundation.database import fresh_connection
from agentapp.foundation.envelope import Incoming, IncomingDelete, IncomingEdit, IncomingReaction
from agentapp.intake import services as intake
from bots.connector import Shown

THREADS = 6  # of the database pool's connections

P = ParamSpec("P")
R = TypeVar("R")

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

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a synchronous function in a thread and return its answer."""

        def work() -> R:
            with fresh_connection():
                return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def accept(self, account: Hashable, shown: Shown) -> None:
        """Store what a platform shows a login, in the order in which it was handed over."""
        async with self._turns[account]:
            await self.call(_TAKE_IN[type(shown)], shown)

    def close(self) -> None:
        """Let what runs finish; take nothing new."""
        self._threads.shutdown(wait=False, cancel_futures=True)
