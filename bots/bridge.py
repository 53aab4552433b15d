"""The border between the connectors' event loop and the synchronous engine.

Nothing else in `bots` runs engine code. Each call takes a thread of a small pool and a database
connection of its own, which it gives back; no transaction spans an await.
"""

from __future__ import annotations

import asyncio
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
        self._turns: dict[Hashable, _Turnstile] = {}

    async def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a synchronous function in a thread and return its answer."""

        def work() -> R:
            with fresh_connection():
                return function(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def accept(self, account: Hashable, shown: Shown) -> None:
        """Store what a platform shows a login, in the order in which it was handed over."""
        turnstile = self._turns.setdefault(account, _Turnstile())
        async with turnstile:
            await self.call(_TAKE_IN[type(shown)], shown)
        if turnstile.is_idle:
            self._turns.pop(account, None)

    def close(self) -> None:
        """Let what runs finish; take nothing new."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Turnstile:
    """Lets one through at a time, first come first served."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[None] = asyncio.Queue(maxsize=1)
        self._waiting = 0

    @property
    def is_idle(self) -> bool:
        return self._waiting == 0

    async def __aenter__(self) -> None:
        self._waiting += 1
        try:
            # Those who wait for a place in a full queue get it in the order they came.
            await self._queue.put(None)
        except BaseException:
            self._waiting -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self._waiting -= 1
        self._queue.get_nowait()
