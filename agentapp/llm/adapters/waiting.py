"""Waits on model servers that end with a call's watch, whatever a server does meanwhile."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
from typing_extensions import override

from agentapp.llm.adapters.protocol import POLL_SECONDS, Watch

CONNECT_SECONDS = 8.0
_SHORTEST_WAIT = 0.001


class _OfThisThread(threading.local):
    watch: Watch | None = None


_current = _OfThisThread()


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Let every wait of this thread on a model server obey `watch`."""
    before, _current.watch = _current.watch, watch
    try:
        yield
    finally:
        _current.watch = before


def seconds_left(at_most: float) -> float:
    """Return how long this thread may wait now.

    Raises:
        DeadlinePassed, StopAsked: Not at all.
    """
    watch = _current.watch
    if watch is None:
        return at_most
    watch.check()
    return max(min(at_most, watch.remaining()), _SHORTEST_WAIT)


class WatchedStream(httpcore2.NetworkStream):
    """A socket whose waits end with the call's watch."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            try:
                return self._inner.read(max_bytes, timeout=seconds_left(POLL_SECONDS))
            except httpcore2.ReadTimeout:
                if _current.watch is None:
                    raise

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        seconds = seconds_left(CONNECT_SECONDS)
        if _current.watch is not None:
            _current.watch.has_sent = True
        self._inner.write(buffer, timeout=seconds)

    @override
    def close(self) -> None:
        self._inner.close()

    @override
    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        seconds = seconds_left(CONNECT_SECONDS)
        return WatchedStream(self._inner.start_tls(ssl_context, server_hostname, seconds))

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
