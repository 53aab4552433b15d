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
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any, cast

import httpcore2
import httpx2
from django.conf import settings
from typing_extensions import override

from agentapp.llm.adapters.keeping import Kept
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
    """A response body that ends too long answers and leaves its connection reusable.

    Args:
        body: As it comes.
        then: Called once, when it is closed.
    """

    def __init__(self, body: Iterable[bytes], *, then: Callable[[], None] = lambda: None) -> None:
        self._body = body
        self._pieces = iter(body)
        self._then: Callable[[], None] | None = then
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
        then, self._then = self._then, None
        if then is None:
            return
        try:
            if _END_OF_STREAM in self._tail:
                self._read_the_end()
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            then()

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
        self._kept = Kept(
            backend=CheckedBackend(),
            ssl_context=_ssl_context(),
            most=MAX_IDLE,
            seconds=KEEP_IDLE_SECONDS,
        )
        # A client that is no longer in use anywhere closes its idle sockets as it goes.
        weakref.finalize(self, self._kept.close)

    def ask(self, request: httpcore2.Request) -> tuple[httpcore2.Response, BoundedBody]:
        """Send a request; return the head of the response, and its body, which must be closed."""
        connection = self._kept.taken(request)
        try:
            response = connection.handle_request(request)
        except BaseException:
            connection.close()
            raise
        body = cast("Iterable[bytes]", response.stream)
        return response, BoundedBody(body, then=partial(self._kept.put, request, connection))

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response, body = self.ask(
            httpcore2.Request(
                method=request.method,
                url=raw_url(request.url),
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
            stream=body,
            extensions=response.extensions,
        )

    @override
    def close(self) -> None:
        self._kept.close()


def raw_url(url: httpx2.URL) -> httpcore2.URL:
    """Return an address as connections take it."""
    return httpcore2.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


@cache
def _ssl_context() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


def new_client(transport: Transport | None = None) -> httpx2.Client:
    """Return an HTTP client for one provider; whoever makes it closes it."""
    return httpx2.Client(
        transport=transport or Transport(),
        follow_redirects=False,  # a redirect would carry the key elsewhere
        timeout=None,
        trust_env=False,
        headers={"Accept-Encoding": "identity"},
    )
