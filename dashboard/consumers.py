"""The websocket at `/live/`: who may open it, how much they may say, and what they may ask.

Client to server: `{"op": "subscribe", "topics": [...], "since": "xid.id" | null}` (exactly these
topics from now on), `{"op": "unsubscribe"}`, `{"op": "pong"}`, `{"op": "watch"}`.
Server to client: `{"t": topic, "id": subject, "e": event type, "c": cursor}`, `{"op": "resync"}`,
`{"op": "ping", "c": cursor}`, `{"op": "refused", "topics": [...]}`, and hints such as typing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import parse_cookie
from typing_extensions import override

from agentapp.events.queries import Cursor
from agentapp.foundation.errors import AgentError
from dashboard import border, frames, rights
from dashboard.hub import LOGGED_OUT, running_hub
from dashboard.links import Link
from dashboard.topics import Topic
from dashboard.watching import WATCHERS

logger = logging.getLogger(__name__)

LARGEST_FRAME = 65_536  # characters; the server refuses larger ones in bytes
MESSAGES_PER_SECOND = 20
MOST_TOPICS = 50
PING_SECONDS = 20.0
SILENT_SECONDS = 3 * PING_SECONDS  # without a word from the client; then it is gone
BAD_FRAME, TOO_LARGE, TOO_MANY, TRY_LATER = 4400, 1009, 4429, 1013


class LiveConsumer(AsyncWebsocketConsumer):
    """One browser page, or one program, that listens to what happens."""

    link: Link | None = None

    @override
    async def connect(self) -> None:
        await self.accept()
        self._tasks: list[asyncio.Task[None]] = []
        self._allowance = Allowance(MESSAGES_PER_SECOND)
        self._heard_at = time.monotonic()
        session_key = self._session_key()
        try:
            found = await border.call(rights.logins, [session_key]) if session_key else {}
            if session_key not in found:
                # Closed after the handshake: before it, browsers do not learn the code.
                await self.close(LOGGED_OUT)
                return
            self.link = await running_hub().join(login=found[session_key], session_key=session_key)
        except DatabaseError:
            await self.close(TRY_LATER)
            return
        self._tasks = [
            asyncio.create_task(self._write(self.link)),
            asyncio.create_task(self._ping(self.link)),
        ]

    @override
    async def disconnect(self, code: int) -> None:
        if self.link is not None:
            running_hub().leave(self.link)
            self.link = None
        for task in self._tasks:
            task.cancel()

    @override
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.link is None:
            return
        self._heard_at = time.monotonic()
        if not self._allowance.take():
            self.link.end(TOO_MANY)
            return
        if text_data is None or len(text_data) > LARGEST_FRAME:
            self.link.end(BAD_FRAME if text_data is None else TOO_LARGE)
            return
        message = _decoded(text_data)
        if message is None:
            self.link.end(BAD_FRAME)
            return
        answer = self._answers.get(str(message.get("op")))
        if answer is None:
            self.link.end(BAD_FRAME)
            return
        try:
            await answer(self, self.link, message)
        except DatabaseError:
            self.link.end(TRY_LATER)

    async def _subscribe(self, link: Link, message: dict[str, Any]) -> None:
        names = message.get("topics")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            link.end(BAD_FRAME)
            return
        parsed = {name: Topic.parse(name) for name in dict.fromkeys(names)}
        unknown = [name for name, topic in parsed.items() if topic is None]
        topics = [topic for topic in parsed.values() if topic is not None]
        too_many = topics[MOST_TOPICS:]
        since = Cursor.parse(str(message.get("since") or ""))
        denied = await running_hub().listen(link, topics[:MOST_TOPICS], since=since)
        if unknown or too_many or denied:
            link.answer(frames.refused([*unknown, *too_many, *denied][:MOST_TOPICS]))

    async def _unsubscribe(self, link: Link, _message: dict[str, Any]) -> None:
        await running_hub().listen(link, [], since=None)

    async def _pong(self, _link: Link, _message: dict[str, Any]) -> None:
        """That something came is all a pong says; `receive` has noted it."""

    async def _watch(self, link: Link, _message: dict[str, Any]) -> None:
        for watcher in WATCHERS:
            try:
                await border.call(watcher, link.user_id)
            except AgentError as error:
                logger.info("live: watching by user %s refused: %s", link.user_id, error)

    _answers: dict[str, Callable[[LiveConsumer, Link, dict[str, Any]], Awaitable[None]]] = {
        "subscribe": _subscribe,
        "unsubscribe": _unsubscribe,
        "pong": _pong,
        "watch": _watch,
    }

    async def _write(self, link: Link) -> None:
        """Send what the link holds; while a slow client reads, only its own queue fills."""
        with suppress(OSError):  # it has gone away meanwhile
            while (frame := await link.next_frame()) is not None:
                await self.send(text_data=frame)
            await self.close(link.close_code)

    async def _ping(self, link: Link) -> None:
        while link.close_code is None:
            await asyncio.sleep(PING_SECONDS)
            if time.monotonic() - self._heard_at > SILENT_SECONDS:
                link.end(1001)
            else:
                link.answer(frames.ping(running_hub().cursor))

    def _session_key(self) -> str:
        headers = dict(self.scope.get("headers", []))
        cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
        return str(cookies.get(settings.SESSION_COOKIE_NAME, ""))


class Allowance:
    """How much a client may still say: so many messages per second, in bursts of as many."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._as_of = time.monotonic()

    def take(self) -> bool:
        """Use up one message; False when there is none left."""
        now = time.monotonic()
        gained = (now - self._as_of) * self._per_second
        self._left = min(float(self._per_second), self._left + gained)
        self._as_of = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
