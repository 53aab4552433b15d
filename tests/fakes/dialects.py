"""A model server that sends exactly the bodies it is given, for other servers' own errors."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from typing_extensions import override

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Reply:
    """One answer, byte for byte."""

    status: int
    body: bytes
    content_type: str = "application/json"


class DialectServer:
    """Answers each question with the next of `replies`, and lists `models`."""

    key = ""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.models = b'{"object": "list", "data": []}'
        self.seen: list[bytes] = []
        self._server = _Server((HOST, 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: DialectServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        found = self.path == "/v1/models"
        self._send(Reply(200, self.server.owner.models) if found else Reply(404, b"{}"))

    def do_POST(self) -> None:
        owner = self.server.owner
        owner.seen.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(owner.replies.popleft())

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
