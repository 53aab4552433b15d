"""Connections to model servers that obey a call's watch and open only allowed addresses.

Every read waits in short slices, so that a server that drips, hangs or floods can hold a call
neither past its deadline nor past a stop. The address is checked where the connection is made,
after name resolution, so that no name can lead elsewhere.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import weakref
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, cast

import httpcore2
import httpx2
from django.conf import settings
from typing_extensions import override

from agentapp.llm.adapters.protocol import (
    POLL_SECONDS,
    DeadlinePassed,
    Failure,
    FailureKind,
    Watch,
)
from agentapp.llm.adapters.waiting import CONNECT_SECONDS, WatchedStream, seconds_left, watched
from agentapp.llm.rules.addresses import is_allowed_address

KEEP_IDLE_SECONDS = 30.0
MAX_IDLE = 20
MAX_RESPONSE_BYTES = 4 * 1024 * 1024
_END_OF_STREAM = b"data: [DONE]"
# All that a request needs. The SDKs would add the host's own account from its environment, and
# what they like to know about this machine.
_SENT_HEADERS = {
    b"accept",
    b"accept-encoding",
    b"anthropic-version",
    b"authorization",
    b"connection",
    b"content-length",
    b"content-type",
    b"host",
    b"user-agent",
}


class CheckedBackend(httpcore2.NetworkBackend):
    """Opens connections to allowed addresses only."""

    def __init__(self) -> None:
        self._plain = httpcore2.SyncBackend()

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failed: Exception | None = None
        for address in _allowed_addresses(host, port):
            try:
                stream = self._plain.connect_tcp(
                    address, port, timeout=seconds_left(CONNECT_SECONDS)
                )
                return WatchedStream(stream)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore2.ConnectError(host)


def _allowed_addresses(host: str, port: int) -> list[str]:
    only_loopback = not settings.LLM_ALLOW_REQUESTS
    if only_loopback and host != "localhost" and not _is_literal(host):
        raise _refused(host)
    found = [host] if _is_literal(host) else _resolved(host, port)
    allowed = [
        address
        for address in found
        if is_allowed_address(
            ipaddress.ip_address(address.partition("%")[0]), only_loopback=only_loopback
        )
    ]
    if not allowed:
        raise _refused(host)
    return allowed


def _refused(host: str) -> Failure:
    return Failure(f"Connections to {host} are not allowed here.", kind=FailureKind.ADDRESS)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _resolved(host: str, port: int) -> list[str]:
    """Look a name up in a thread of its own: the system's lookup cannot be interrupted."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(row[4][0]) for row in rows)))
        except OSError as error:
            answers.put(error)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds_left(CONNECT_SECONDS))
    except queue.Empty:
        seconds_left(CONNECT_SECONDS)  # raises when it was the call's own deadline
        raise httpcore2.ConnectTimeout("name lookup") from None
    if isinstance(answer, OSError):
        raise Failure(
            f"There is no server named {host}. Check the spelling of the address.",
            kind=FailureKind.ADDRESS
            if answer.errno == socket.EAI_NONAME
            else FailureKind.CONNECTION,
        ) from answer
    return answer


class BoundedBody(httpx2.SyncByteStream):
    """A response body that ends too long answers and leaves its connection reusable."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body
        self._pieces = iter(body)
        self._size = 0
        self._tail = b""

    @override
    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._size += len(piece)
            if self._size > MAX_RESPONSE_BYTES:
                raise Failure(
                    "The server sent far more than an answer.",
                    kind=FailureKind.TOO_LONG,
                    may_be_billed=True,
                )
            self._tail = (self._tail + piece)[-64:]
            yield piece

    @override
    def close(self) -> None:
        if _END_OF_STREAM in self._tail:
            self._read_the_end()
        close = getattr(self._body, "close", None)
        if close is not None:
            close()

    def _read_the_end(self) -> None:
        """Take the few bytes after the last event; with them unread the connection is lost."""
        try:
            with watched(Watch.lasting(POLL_SECONDS)):
                next(self._pieces, None)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, DeadlinePassed):
            return


class Transport(httpx2.BaseTransport):
    """Sends requests over checked, watched connections; no proxies, no redirects."""

    def __init__(self) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=None,
            max_keepalive_connections=MAX_IDLE,
            keepalive_expiry=KEEP_IDLE_SECONDS,
            network_backend=CheckedBackend(),
        )
        # A client that is no longer in use anywhere closes its idle sockets as it goes.
        weakref.finalize(self, self._pool.close)

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=[
                    (name, value)
                    for name, value in request.headers.raw
                    if name.lower() in _SENT_HEADERS
                ],
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=BoundedBody(cast("Iterable[bytes]", response.stream)),
            extensions=response.extensions,
        )

    @override
    def close(self) -> None:
        self._pool.close()


@cache
def _ssl_context() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


def new_client() -> httpx2.Client:
    """Return an HTTP client for one provider; whoever makes it closes it."""
    return httpx2.Client(
        transport=Transport(),
        follow_redirects=False,  # a redirect would carry the key elsewhere
        timeout=None,
        trust_env=False,
        headers={"Accept-Encoding": "identity"},
    )
