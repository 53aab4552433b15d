"""The border between the event loop and the synchronous engine; the only one in `bots`.

Every call runs in a thread of a small pool, on a database connection of its own that goes back to
the pool afterwards. No transaction spans an await.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

import psycopg
from django.db import connections

from agentapp.drafts.outbox import WAKE_CHANNEL
from agentapp.foundation.database import fresh_connection

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
_DSN_KEYS = ("dbname", "user", "password", "host", "port")


class Bridge:
    """Runs engine functions for one event loop."""

    def __init__(self, *, threads: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="bridge")

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an engine function in a thread and return what it returns."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, partial(_connected, function, *args, **kwargs)
        )

    def close(self) -> None:
        """Let running calls end and take no new ones."""
        self._pool.shutdown(wait=True)


async def wake_ups(*, at_least_every: float) -> AsyncIterator[None]:
    """Yield whenever something is queued, and anyway every `at_least_every` seconds.

    Listens on a connection of its own; while that is broken, only the clock wakes.
    """
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                autocommit=True, **_dsn()
            ) as listening:
                await listening.execute(f"LISTEN {WAKE_CHANNEL}")
                while True:
                    yield
                    async for _ in listening.notifies(timeout=at_least_every, stop_after=1):
                        pass
        except psycopg.OperationalError:
            await asyncio.sleep(at_least_every)
            yield


def _connected(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with fresh_connection():
        return function(*args, **kwargs)


def _dsn() -> dict[str, str]:
    parameters = connections["default"].get_connection_params()
    return {key: str(parameters[key]) for key in _DSN_KEYS if parameters.get(key)}
