"""The one crossing from the web side's event loop to synchronous code.

Every call runs in a small pool of threads with a database connection of its own, which goes back
to the connection pool when the call ends. No transaction spans an await.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from agentapp.foundation.database import fresh_connection

THREADS = 4  # of the database pool's connections

P = ParamSpec("P")
R = TypeVar("R")

_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="live-border")


async def call(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a synchronous function beside the event loop and return its answer."""

    def work() -> R:
        with fresh_connection():
            return function(*args, **kwargs)

    return await asyncio.get_running_loop().run_in_executor(_threads, work)
