"""The least client there is: a request written and frames read over a kept socket."""

from __future__ import annotations

import json
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
        if not hasattr(self._mine, "socket"):
            self._mine.socket = socket.create_connection(("127.0.0.1", self._port))
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
        begun, first, seen = time.monotonic(), 0.0, b""
        self._mine.socket.sendall(head.encode() + body)
        while not seen.endswith(_END):
            piece = self._mine.socket.recv(65_536)
            if not piece:
                raise SystemExit(f"port {self._port} closed the connection: {seen[:300]!r}")
            seen = seen[-4000:] + piece
            if not first and b'"content"' in seen:
                first = time.monotonic() - begun
        if b" 200 " not in seen[:20] and not first:
            raise SystemExit(f"port {self._port} answered: {seen[:300]!r}")
        return first, time.monotonic() - begun
