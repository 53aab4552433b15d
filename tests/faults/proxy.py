"""A TCP proxy between our processes and a server, which does to connections what networks do.

with Proxy(upstream=("127.0.0.1", 8448)) as proxy:
    proxy.cut()        # ends every connection and takes none
    proxy.restore()
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

Upstream: TypeAlias = tuple[str, int] | Path  # a port, or a unix socket

READ_BYTES = 64 * 1024
DRIP_BYTES = 512
START_SECONDS = 10.0
ABORT = struct.pack("ii", 1, 0)  # linger for no time: the other side sees a reset


class Proxy:
    """Passes bytes both ways, as well as the network is at the moment."""

    def __init__(self, *, upstream: Upstream) -> None:
        self.port = 0
        self.accepted = 0
        self._upstream = upstream
        self._delay = 0.0
        self._bytes_per_second = 0.0
        self._refuses = False
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flows: asyncio.Event
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._is_up = threading.Event()

    def __enter__(self) -> Proxy:
        self._thread.start()
        assert self._is_up.wait(START_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def cut(self) -> None:
        """End every connection and accept none, as where a cable was pulled and noticed."""
        self._refuses = True
        self._do(self._end_all(with_reset=False))

    def reset(self) -> None:
        """Reset every connection at once; new ones work."""
        self._do(self._end_all(with_reset=True))

    def stall(self) -> None:
        """Pass nothing on and say nothing, as where packets get lost on the way."""
        self._do(self._set_flow(flows=False))

    def delay(self, seconds: float) -> None:
        """Let everything arrive so much later."""
        self._delay = seconds

    def drip(self, bytes_per_second: float) -> None:
        """Let everything arrive in small pieces, no more than so many bytes a second."""
        self._bytes_per_second = bytes_per_second

    def restore(self) -> None:
        """Be a good network again."""
        self._refuses, self._delay, self._bytes_per_second = False, 0.0, 0.0
        self._do(self._set_flow(flows=True))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._listen())
        self._is_up.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._leave_nothing())
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    async def _listen(self) -> asyncio.Server:
        self._flows = asyncio.Event()
        self._flows.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        return server

    async def _leave_nothing(self) -> None:
        """End what is open, also where somebody never took what was said to them."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        writers = list(self._open)
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)  # what was aborted is gone after a turn of the loop

    async def _set_flow(self, *, flows: bool) -> None:
        if flows:
            self._flows.set()
        else:
            self._flows.clear()

    async def _end_all(self, *, with_reset: bool) -> None:
        for writer in list(self._open):
            if with_reset:
                sock = writer.get_extra_info("socket")
                if sock is not None and sock.family != socket.AF_UNIX:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                writer.transport.abort()
            else:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._refuses:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            there_reader, there_writer = await self._connect()
        except BaseException as error:
            self._open.discard(writer)
            writer.transport.abort()
            if isinstance(error, OSError):
                return
            raise
        self._open.add(there_writer)
        try:
            await asyncio.gather(
                self._pass_on(reader, there_writer), self._pass_on(there_reader, writer)
            )
        finally:
            self._open -= {writer, there_writer}
            for one in (writer, there_writer):
                one.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._upstream, Path):
            return await asyncio.open_unix_connection(str(self._upstream))
        return await asyncio.open_connection(*self._upstream)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction to its end; then the other side hears the end as well."""
        with suppress(OSError):
            while data := await reader.read(READ_BYTES):
                await self._flows.wait()
                if self._delay:
                    await _passes(self._delay)
                await self._write(writer, data)
        with suppress(OSError, RuntimeError):
            if writer.can_write_eof():
                writer.write_eof()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        while data:
            rate = self._bytes_per_second
            size = DRIP_BYTES if rate else len(data)
            part, data = data[:size], data[size:]
            if rate:
                await _passes(len(part) / rate)  # nothing is there before its last byte
            writer.write(part)
            await writer.drain()


async def _passes(seconds: float) -> None:
    """Wait for so long and never less: a loop's timer may fire a moment early."""
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:  # noqa: ASYNC110 - time is waited for
        await asyncio.sleep(left)
