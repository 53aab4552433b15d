"""Many websockets in one loop, as cheap as can be: frames are told apart by their number alone."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import struct
import time

from typing_extensions import override

_ID = re.compile(rb'"id": ?"?(\d+)')
HANDSHAKE_SECONDS = 60.0
AT_ONCE = 25  # handshakes
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
SMALL_BUFFER = 2_048


class Client(asyncio.Protocol):
    """One browser page: notes when which number arrived."""

    def __init__(self, *, port: int, cookie: str) -> None:
        self.heard: dict[int, float] = {}
        self.is_closed = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = (
            f"GET /live/ HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
            f"Origin: http://localhost:{port}\r\nCookie: {cookie}\r\n\r\n"
        ).encode()
        self._rest = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it opened"))

    @override
    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._rest += data
        if not self.ready.done():
            head, separator, rest = self._rest.partition(b"\r\n\r\n")
            if not separator:
                return
            assert b" 101 " in head.split(b"\r\n")[0], head[:200]
            self._rest = rest
            self.ready.set_result(None)
        while len(self._rest) >= 2:
            length, start = self._rest[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(self._rest[2:4], "big"), 4
            if len(self._rest) < start + length:
                return
            kind, body = self._rest[0] & 15, self._rest[start : start + length]
            self._rest = self._rest[start + length :]
            self._take(kind, body, now)

    def _take(self, kind: int, body: bytes, now: float) -> None:
        if kind == PING:
            self._say(PONG, body)
        elif kind == TEXT and (found := _ID.search(body)):
            self.heard.setdefault(int(found.group(1)), now)
        elif kind == TEXT and b'"ping"' in body:
            self.say('{"op":"pong"}')

    def say(self, text: str) -> None:
        """Send one text frame."""
        self._say(TEXT, text.encode())

    def _say(self, kind: int, body: bytes) -> None:
        size = (
            bytes([128 + len(body)]) if len(body) < 126 else b"\xfe" + struct.pack(">H", len(body))
        )
        # A mask of zeros leaves the text as it is.
        self.transport.write(bytes([128 | kind]) + size + bytes(4) + body)


async def connected(
    *, port: int, cookies: list[str], hello: str = "", is_stalled: bool = False
) -> list[Client]:
    """Open one socket for each cookie, some at a time; stalled ones then never read again."""
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)

    async def one(cookie: str) -> Client:
        async with gate, asyncio.timeout(HANDSHAKE_SECONDS):
            wire = socket.socket()
            wire.setblocking(False)
            if is_stalled:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            await loop.sock_connect(wire, ("127.0.0.1", port))
            _, client = await loop.create_connection(
                lambda: Client(port=port, cookie=cookie), sock=wire
            )
            await client.ready
            if hello:
                client.say(hello)
            if is_stalled:
                client.transport.pause_reading()
            return client

    return await asyncio.gather(*map(one, cookies))
