"""Connections that are kept for the next request to the same server."""

from __future__ import annotations

import ssl
import threading
from collections import defaultdict

import httpcore2

_SCHEMES = {b"http", b"https"}
Server = tuple[bytes, bytes, int]


class Kept:
    """Idle connections by server, the last used first.

    The library's own pool looks at all of its connections for every request, which costs more
    than the request itself where a hundred are under way.

    Args:
        backend: Opens them.
        most: Idle ones of one server; more are closed.
        seconds: How long an idle one is kept.
    """

    def __init__(
        self,
        *,
        backend: httpcore2.NetworkBackend,
        ssl_context: ssl.SSLContext,
        most: int,
        seconds: float,
    ) -> None:
        self._backend = backend
        self._ssl_context = ssl_context
        self._most = most
        self._seconds = seconds
        self._idle: defaultdict[Server, list[httpcore2.HTTPConnection]] = defaultdict(list)
        self._is_closed = False
        self._lock = threading.Lock()

    def taken(self, request: httpcore2.Request) -> httpcore2.HTTPConnection:
        """Return a connection for a request: an idle one, or one that opens with it.

        Raises:
            httpcore2.UnsupportedProtocol: It is neither http nor https.
        """
        if request.url.scheme not in _SCHEMES:
            raise httpcore2.UnsupportedProtocol("Only http and https are spoken.")
        origin = request.url.origin
        while (idle := self._pop(_server(origin))) is not None:
            if idle.is_available() and not idle.has_expired():
                return idle
            idle.close()
        return httpcore2.HTTPConnection(
            origin=origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=self._seconds,
            network_backend=self._backend,
        )

    def put(self, request: httpcore2.Request, connection: httpcore2.HTTPConnection) -> None:
        """Keep the connection of a request that was answered, or close it where that is no use."""
        with self._lock:
            idle = self._idle[_server(request.url.origin)]
            if connection.is_idle() and not self._is_closed and len(idle) < self._most:
                idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle; what is under way is closed once its answer is read."""
        with self._lock:
            self._is_closed = True
            idle = [connection for each in self._idle.values() for connection in each]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _pop(self, server: Server) -> httpcore2.HTTPConnection | None:
        with self._lock:
            idle = self._idle[server]
            return idle.pop() if idle else None


def _server(origin: httpcore2.Origin) -> Server:
    return origin.scheme, origin.host, origin.port
