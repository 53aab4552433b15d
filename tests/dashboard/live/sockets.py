"""Live connections of the tests: the real application, Postgres and Redis; only the wire is short.

Every test runs one event loop; what it needs from the database it asks for through threads, as
the product does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import transaction
from django.test import Client

from agentapp.events.services import record
from agentapp.identity.models import User
from dashboard.border import call
from dashboard.routing import websocket_application

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
ORIGIN = "http://localhost:8000"


def session_of(user: User) -> str:
    """Log a user in and return the session's key."""
    client = Client()
    client.force_login(user)
    return client.session.session_key or ""


def headers_of(session_key: str, *, origin: str | None = ORIGIN) -> list[tuple[bytes, bytes]]:
    cookie = f"{settings.SESSION_COOKIE_NAME}={session_key}"
    headers = [(b"host", b"localhost:8000"), (b"cookie", cookie.encode())]
    return headers if origin is None else [*headers, (b"origin", origin.encode())]


def communicator(
    headers: list[tuple[bytes, bytes]],
    *,
    path: str = "/live/",
    gate: asyncio.Event | None = None,
) -> ApplicationCommunicator:
    """Reach the application; while `gate` is closed the client takes no frame."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        async def send_through_gate(event: Any) -> None:
            if gate is not None and event["type"] == "websocket.send":
                await gate.wait()
            await send(event)

        await websocket_application(scope, receive, send_through_gate)

    return ApplicationCommunicator(
        application,
        {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        },
    )


async def opened(wire: ApplicationCommunicator) -> bool:
    """Ask to open; False when the door stays shut."""
    await wire.send_input({"type": "websocket.connect"})
    answer = await wire.receive_output(timeout=5)
    return bool(answer["type"] == "websocket.accept")


class Page:
    """An open page: keeps every frame that came."""

    def __init__(self, wire: ApplicationCommunicator) -> None:
        self.wire = wire
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None
        self._reader = asyncio.create_task(self._read())

    async def say(self, **message: object) -> None:
        await self.say_raw(json.dumps(message))

    async def say_raw(self, text: str) -> None:
        await self.wire.send_input({"type": "websocket.receive", "text": text})

    async def listen(self, *topics: str, since: str | None = None) -> list[str]:
        """Subscribe; return what was refused."""
        before = len(self.ops("refused"))
        # The name of no topic is always refused, so there is an answer to wait for.
        await self.say(op="subscribe", topics=[*topics, "none such"], since=since)
        await self.until(lambda: len(self.ops("refused")) > before)
        return [name for name in self.ops("refused")[-1]["topics"] if name != "none such"]

    async def until(self, is_so: Callable[[], bool], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not is_so():  # noqa: ASYNC110  (frames come from elsewhere)
                await asyncio.sleep(0.02)

    def ids(self, topic: str) -> set[str]:
        return {frame["id"] for frame in self.frames if frame.get("t") == topic}

    def topics(self) -> set[str]:
        return {frame["t"] for frame in self.frames if "t" in frame}

    def ops(self, op: str) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame.get("op") == op]

    async def _read(self) -> None:
        while self.closed is None:
            event = await self.wire.output_queue.get()
            if event["type"] == "websocket.close":
                self.closed = event.get("code", 1000)
            elif event["type"] == "websocket.send":
                self.frames.append(json.loads(event["text"]))

    async def leave(self) -> None:
        self._reader.cancel()
        await self.wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wire.wait(timeout=5)


@asynccontextmanager
async def page(session_key: str, *, gate: asyncio.Event | None = None) -> AsyncIterator[Page]:
    wire = communicator(headers_of(session_key), gate=gate)
    assert await opened(wire)
    tab = Page(wire)
    try:
        yield tab
    finally:
        await tab.leave()


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work())


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    return await call(function, *args, **kwargs)


async def recorded(**fields: Any) -> str:
    """Write an event as a service would; return its subject's id."""

    def write() -> str:
        with transaction.atomic():
            return record(**fields).subject_id

    return await call(write)
