"""A server on loopback for a test's own loop, of which no connection is left when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

Answer: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HOST = "127.0.0.1"


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[int]:
    """Answer every connection until the block ends; yields the port."""
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            with suppress(ConnectionError):
                await answer(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            # A connection that is closed waits for what it still has to say, for ever if nobody
            # listens; this one does not.
            writer.transport.abort()
            open_now.discard(task)

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is gone after a turn of the loop
