"""The least client there is: a request written and frames read over a kept socket."""

from __future__ import annotations

import json
import select
import socket
import threading
import time

SYSTEM = "You are a calm gardener who answers in one sentence. " * 10
_END = b"\r\n0\r\n\r\n"


class RawClients:
    """One connection per thread to a server on this machine."""

    def __init__(self, port: int, *, key: str = "x") -> None:
        self._port = port
        self._key = key
        self._mine = threading.local()

    def ask(self, model: str) -> tuple[float, float]:
        """Ask and read to the end; seconds to the first token, and in all."""
        body = json.dumps(
            {
                "model": model,
                "messages": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": "Shade?"},
                ],
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        ).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self._key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            return self._exchange(self._connection(), head.encode() + body)
        except ConnectionError:  # it was closed in the moment in which it was used
            del self._mine.socket
            return self._exchange(self._connection(), head.encode() + body)

    def _exchange(self, connection: socket.socket, request: bytes) -> tuple[float, float]:
        begun, first, seen = time.monotonic(), 0.0, b""
        connection.sendall(request)
        while not seen.endswith(_END):
            piece = connection.recv(65_536)
            if not piece:
                raise ConnectionResetError(f"port {self._port} closed the connection")
            seen = seen[-4000:] + piece
            if not first and b'"content"' in seen:
                first = time.monotonic() - begun
        if b" 200 " not in seen[:20] and not first:
            raise SystemExit(f"port {self._port} answered: {seen[:300]!r}")
        return first, time.monotonic() - begun

    def _connection(self) -> socket.socket:
        """Return this thread's connection, or a new one where the server has closed it."""
        kept: socket.socket | None = getattr(self._mine, "socket", None)
        if kept is not None and not select.select([kept], [], [], 0)[0]:
            return kept
        made = self._mine.socket = socket.create_connection(("127.0.0.1", self._port))
        return made
