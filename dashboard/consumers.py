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

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, WebSocketScope
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import parse_cookie

from agentapp.events.queries import Cursor
from agentapp.foundation.errors import AgentError
from dashboard import border, frames
from dashboard.hub import LOGGED_OUT, running_hub
from dashboard.links import Link
from dashboard.topics import Topic
from dashboard.watching import WATCHERS

logger = logging.getLogger(__name__)

LARGEST_FRAME = 65_536  # characters; the server refuses larger ones in bytes
MESSAGES_PER_SECOND = 20
MOST_TOPICS = 50
PING_SECONDS = 20.0
SILENT_SECONDS = (
    3 * PING_SECONDS
)  # without a word from the client, or with one that it leaves unread
LAST_WORDS_SECONDS = 2.0  # to take the reason why it is closed
BAD_FRAME, TOO_LARGE, TOO_MANY, TRY_LATER, GONE = 4400, 1009, 4429, 1013, 1001


async def live(scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Serve one browser page, or one program, that listens to what happens."""
    await _Socket(dict(scope["headers"]), receive, send).serve()


class _Socket:
    def __init__(
        self, headers: dict[bytes, bytes], receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        self._headers = headers
        self._receive: Callable[[], Awaitable[Any]] = receive
        self._send: Callable[[Any], Awaitable[None]] = send
        self._allowance = Allowance(MESSAGES_PER_SECOND)
        self._heard_at = time.monotonic()
        self._writing_since: float | None = None  # one frame

    async def serve(self) -> None:
        """Talk until either side ends it; what the client does not take then is left behind."""
        if (await self._receive())["type"] != "websocket.connect":
            return
        with suppress(OSError):  # it has gone away meanwhile
            await self._send({"type": "websocket.accept"})
            link = await self._let_in()
            if link is not None:
                await self._talk(link)

    async def _let_in(self) -> Link | None:
        session_key = self._session_key()
        try:
            link = await running_hub().join(session_key) if session_key else None
        except DatabaseError:
            await self._close(TRY_LATER)
            return None
        if link is None:
            # Closed after the handshake: before it, browsers do not learn the code.
            await self._close(LOGGED_OUT)
        return link

    async def _talk(self, link: Link) -> None:
        """Hear, write and look after the line; the first of these to end ends the others."""
        parts = [
            asyncio.create_task(part(link)) for part in (self._hear, self._write, self._look_after)
        ]
        try:
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running_hub().leave(link)
            for part in parts:
                part.cancel()
        for part in ended:
            part.result()

    async def _hear(self, link: Link) -> None:
        while (event := await self._receive())["type"] != "websocket.disconnect":
            self._heard_at = time.monotonic()
            if link.close_code is None:
                await self._take(link, event.get("text"))

    async def _take(self, link: Link, text: str | None) -> None:
        if not self._allowance.take():
            link.end(TOO_MANY)
            return
        if text is None or len(text) > LARGEST_FRAME:
            link.end(BAD_FRAME if text is None else TOO_LARGE)
            return
        message = _decoded(text)
        answer = self._answers.get(str(message.get("op"))) if message is not None else None
        if message is None or answer is None:
            link.end(BAD_FRAME)
            return
        try:
            await answer(self, link, message)
        except DatabaseError:
            link.end(TRY_LATER)

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
        """That something came is all a pong says; `_hear` has noted it."""

    async def _watch(self, link: Link, _message: dict[str, Any]) -> None:
        for watcher in WATCHERS:
            try:
                await border.call(watcher, link.user_id)
            except AgentError as error:
                logger.info("live: watching by user %s refused: %s", link.user_id, error)

    _answers: dict[str, Callable[[_Socket, Link, dict[str, Any]], Awaitable[None]]] = {
        "subscribe": _subscribe,
        "unsubscribe": _unsubscribe,
        "pong": _pong,
        "watch": _watch,
    }

    async def _write(self, link: Link) -> None:
        """Send what the link holds; while a slow client reads, only its own queue fills."""
        while (frame := await link.next_frame()) is not None:
            self._writing_since = time.monotonic()
            await self._send({"type": "websocket.send", "bytes": None, "text": frame})
            self._writing_since = None
        await self._close(link.close_code or GONE)

    async def _close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": None})

    async def _look_after(self, link: Link) -> None:
        """Ask for signs of life; end with the line that gives none or that is to be closed."""
        while link.close_code is None:
            await asyncio.sleep(PING_SECONDS)
            oldest = time.monotonic() - SILENT_SECONDS
            is_stuck = self._writing_since is not None and self._writing_since < oldest
            if is_stuck or self._heard_at < oldest:
                link.end(GONE)
            else:
                link.answer(frames.ping(running_hub().cursor))
        await asyncio.sleep(LAST_WORDS_SECONDS)

    def _session_key(self) -> str:
        cookies = parse_cookie(self._headers.get(b"cookie", b"").decode("latin-1"))
        given = str(cookies.get(settings.SESSION_COOKIE_NAME, ""))
        # Keys are read for several pages at once: an odd one must not fail the others' read.
        return given if given.isascii() and given.isalnum() else ""


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
