"""HTTP to one homeserver: checked addresses, bounded answers, no redirects, no proxies.

Everything that comes back is a stranger's word: it is cut off at a size and at a time.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from urllib.parse import urlencode

import httpcore2
from django.conf import settings
from typing_extensions import override

from bots.matrix.address import literal_address, may_connect
from bots.matrix.errors import AddressRefused, Faltering, NotReached, TooLong

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 50.0  # longer than one long poll, so that its connection is used again
MAX_IDLE = 2
MAX_ANSWER = 4 * 1024 * 1024  # bytes

_NOTHING_LEFT = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout)
_BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        path: From the first slash, quoted.
        seconds: For the whole of it, the answer's last byte included.
        most: Bytes of an answer; a longer one counts as none.
    """

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Mapping[str, object] | bytes | None = None
    content_type: str = "application/json"
    seconds: float = 15.0
    most: int = MAX_ANSWER

    def content(self) -> bytes | None:
        """Return the body's bytes; JSON goes without lone surrogates, which nobody takes."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: at most as many bytes as were allowed. Never logged as a whole."""

    status: int
    content_type: str
    retry_after: str
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the JSON object of the body; anything else is an empty one."""
        found = self._found()
        return found if isinstance(found, dict) else {}

    def listed(self) -> list[dict[str, Any]]:
        """Return the objects of the body's JSON list; anything else is an empty one."""
        found = self._found()
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _found(self) -> object:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Checked(httpcore2.AsyncNetworkBackend):
    """Opens connections to allowed addresses only, whatever a name leads to."""

    def __init__(self) -> None:
        self._plain = httpcore2.AnyIOBackend()

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failed: Exception | None = None
        for address in await _allowed(host, port):
            try:
                return await self._plain.connect_tcp(address, port, timeout=CONNECT_SECONDS)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed or httpcore2.ConnectError("no allowed address")

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _allowed(host: str, port: int) -> list[str]:
    if literal_address(host) is not None:
        found = [host]
    else:
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore2.ConnectError("name lookup") from error
        found = list(dict.fromkeys(str(row[4][0]) for row in rows))
    allowed = [address for address in found if _is_allowed(address)]
    if found and not allowed:
        raise AddressRefused
    return allowed


def _is_allowed(address: str) -> bool:
    parsed = literal_address(address)
    allow_private = bool(settings.MATRIX_ALLOW_PRIVATE)
    return parsed is not None and may_connect(parsed, allow_private=allow_private)


class Wire:
    """Connections to a homeserver: of one login, or of all that an application service has.

    Args:
        most_idle: Connections that stay open while nothing is asked.
    """

    def __init__(self, base_url: str, *, most_idle: int = MAX_IDLE) -> None:
        self.base_url = base_url
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=None,
            max_keepalive_connections=most_idle,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=Checked(),
        )

    async def ask(self, request: Request, *, token: str = "") -> Answer:
        """Make one request.

        Raises:
            NotReached: No byte of it left.
            Faltering: It is not known what the homeserver did with it.
        """
        try:
            async with asyncio.timeout(request.seconds):
                return await self._ask(request, token)
        except _NOTHING_LEFT as error:
            raise NotReached from error
        except (*_BROKEN, TimeoutError, OSError) as error:
            raise Faltering from error

    async def _ask(self, request: Request, token: str) -> Answer:
        url = self.base_url + request.path
        if request.query:
            url += f"?{urlencode(request.query)}"
        content = request.content()
        limits = dict.fromkeys(("read", "write", "pool"), request.seconds)
        async with self._pool.stream(
            request.method,
            url,
            headers=_headers(request, content, token),
            content=content,
            extensions={"timeout": limits | {"connect": CONNECT_SECONDS}},
        ) as response:
            body = await _read(cast("AsyncIterable[bytes]", response.stream), request.most)
            found = {name.lower(): value for name, value in response.headers}
        return Answer(
            response.status,
            found.get(b"content-type", b"").decode("latin-1"),
            found.get(b"retry-after", b"").decode("latin-1"),
            body,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


async def _read(stream: AsyncIterable[bytes], most: int) -> bytes:
    pieces, size = [], 0
    async for piece in stream:
        size += len(piece)
        if size > most:
            raise TooLong
        pieces.append(piece)
    return b"".join(pieces)


def _headers(request: Request, content: bytes | None, token: str) -> list[tuple[bytes, bytes]]:
    headers = [(b"Accept", b"application/json"), (b"Accept-Encoding", b"identity")]
    if token:
        headers.append((b"Authorization", b"Bearer " + token.encode()))
    if content is not None:
        headers.append((b"Content-Type", request.content_type.encode("ascii", "replace")))
        headers.append((b"Content-Length", str(len(content)).encode()))
    return headers


@cache
def _ssl_context() -> ssl.SSLContext:
    return ssl.create_default_context()
