"""What one login may ask of its homeserver: each request by name, each failure as one of ours."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from bots.matrix.answers import raise_for
from bots.matrix.credentials import Login
from bots.matrix.errors import Faltering, LoginLost, Rejected
from bots.matrix.wire import Answer, Request, Wire

CLIENT = "/_matrix/client/v3"
MEDIA_SECONDS = 60.0
SEND_SECONDS = 4.5  # shorter than the host waits for one piece
SLACK_SECONDS = 15.0  # that an answer to a long poll may be late
MAX_SYNC = 64 * 1024 * 1024  # bytes
MAX_MEDIA = 25 * 1024 * 1024  # bytes

_MXC = re.compile(r"mxc://([A-Za-z0-9.:\[\]-]{1,255})/([A-Za-z0-9_-]{1,255})")

Renew = Callable[["Login"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Media:
    """A downloaded file, at most `MAX_MEDIA` long."""

    content_type: str
    content: bytes


class Homeserver:
    """One login's requests.

    Args:
        login: Whose they are.
        renewed: Told of a login that was refreshed, before it is used.
        wire: Connections that several logins share; closed by whoever made them.
    """

    def __init__(
        self, login: Login, *, renewed: Renew | None = None, wire: Wire | None = None
    ) -> None:
        self.login = login
        self._renewed = renewed
        self._renewing = asyncio.Lock()
        self._is_shared = wire is not None
        self._wire = wire or Wire(login.homeserver)

    async def close(self) -> None:
        """Close the connections; the login stays valid."""
        if not self._is_shared:
            await self._wire.close()

    async def whoami(self) -> str:
        """Return the user id that the token stands for."""
        return str((await self.call(Request("GET", f"{CLIENT}/account/whoami"))).get("user_id", ""))

    async def sync(
        self, *, since: str, wait_seconds: float, full_state: bool, filter_: Mapping[str, object]
    ) -> dict[str, Any]:
        """Return what happened since a token, waiting for something to happen."""
        query = {"timeout": str(int(wait_seconds * 1000)), "filter": json.dumps(filter_)}
        if since:
            query["since"] = since
        if full_state:
            query["full_state"] = "true"
        seconds = wait_seconds + SLACK_SECONDS * (4 if full_state or not since else 1)
        found = await self.call(
            Request("GET", f"{CLIENT}/sync", query=query, seconds=seconds, most=MAX_SYNC)
        )
        following = found.get("next_batch")
        if not isinstance(following, str) or not following.isprintable() or not following:
            raise Faltering("The homeserver's answer is not one to a sync.")
        return found

    async def messages(
        self, room_id: str, *, start: str, end: str = "", limit: int = 100
    ) -> dict[str, Any]:
        """Return a page of a room's history, the newest first."""
        query = {"dir": "b", "limit": str(limit), "from": start, "to": end}
        given = {key: value for key, value in query.items() if value}
        return await self.call(
            Request("GET", f"{_room(room_id)}/messages", query=given, most=MAX_SYNC)
        )

    async def event(self, room_id: str, event_id: str) -> dict[str, Any]:
        """Return one event as it is now."""
        return await self.call(Request("GET", f"{_room(room_id)}/event/{_q(event_id)}"))

    async def relations(self, room_id: str, event_id: str, kind: str) -> dict[str, Any]:
        """Return the newest 100 events of a relation to an event."""
        path = f"/_matrix/client/v1/rooms/{_q(room_id)}/relations/{_q(event_id)}/{_q(kind)}"
        return await self.call(Request("GET", path, query={"limit": "100"}))

    async def state(
        self, room_id: str, kind: str, *, key: str = "", whole: bool = False
    ) -> dict[str, Any]:
        """Return the content of one state event, or the whole event."""
        query = {"format": "event"} if whole else None
        path = f"{_room(room_id)}/state/{_q(kind)}/{_q(key)}"
        return await self.call(Request("GET", path, query))

    async def send(self, room_id: str, kind: str, content: Mapping[str, object], key: str) -> str:
        """Put an event into a room, once per key; return its id."""
        path = f"{_room(room_id)}/send/{_q(kind)}/{_q(key)}"
        return _event_id(await self.call(Request("PUT", path, body=content, seconds=SEND_SECONDS)))

    async def redact(self, room_id: str, event_id: str, key: str) -> str:
        """Take an event's content away, once per key; return the redaction's id."""
        path = f"{_room(room_id)}/redact/{_q(event_id)}/{_q(key)}"
        return _event_id(await self.call(Request("PUT", path, body={}, seconds=SEND_SECONDS)))

    async def set_typing(self, room_id: str, *, on: bool, seconds: float) -> None:
        """Show that this login writes, for so long or until it is taken back."""
        body: dict[str, object] = {"typing": on}
        if on:
            body["timeout"] = int(seconds * 1000)
        path = f"{_room(room_id)}/typing/{_q(self.login.user_id)}"
        await self.call(Request("PUT", path, body=body))

    async def read(self, room_id: str, event_id: str, *, thread: str = "") -> None:
        """Say that a room, or a thread in it, was read up to an event."""
        path = f"{_room(room_id)}/receipt/m.read/{_q(event_id)}"
        await self.call(Request("POST", path, body={"thread_id": thread} if thread else {}))

    async def join(self, room_id: str, *, via: str = "") -> str:
        """Enter a room; return its id."""
        query = {"via": via} if via else None
        found = await self.call(
            Request("POST", f"{CLIENT}/join/{_q(room_id)}", query=query, body={})
        )
        return str(found.get("room_id", ""))

    async def leave(self, room_id: str, *, reason: str = "") -> None:
        """Leave a room, or decline an invitation into it."""
        body = {"reason": reason} if reason else {}
        await self.call(Request("POST", f"{_room(room_id)}/leave", body=body))

    async def joined_rooms(self) -> list[str]:
        """Return the rooms that this login is in."""
        found = await self.call(Request("GET", f"{CLIENT}/joined_rooms"))
        rooms = found.get("joined_rooms")
        return [one for one in rooms if isinstance(one, str)] if isinstance(rooms, list) else []

    async def log_out(self) -> None:
        """End this login for good: its token and its device are no more."""
        await self.call(Request("POST", f"{CLIENT}/logout", body={}))

    async def upload(self, content: bytes, *, content_type: str, name: str) -> str:
        """Store a file on the homeserver; return its mxc address.

        Raises:
            Rejected: It is longer than `MAX_MEDIA`, or too long for the homeserver.
        """
        if len(content) > MAX_MEDIA:
            raise Rejected("M_TOO_LARGE", 413)
        answer = await self._ask(
            Request(
                "POST",
                "/_matrix/media/v3/upload",
                query={"filename": name},
                body=content,
                content_type=content_type,
                seconds=MEDIA_SECONDS,
            )
        )
        return str(answer.json().get("content_uri", ""))

    async def download(self, mxc: str, *, most: int = MAX_MEDIA) -> Media:
        """Return a file that somebody put into a room.

        Raises:
            Rejected: This is no mxc address, or there is no such file.
            TooLong: It is longer than `most` bytes.
        """
        found = _MXC.fullmatch(mxc)
        if found is None or ".." in mxc:
            raise Rejected("M_NOT_FOUND", 404)
        server, media_id = found.groups()
        path = f"/_matrix/client/v1/media/download/{_q(server)}/{_q(media_id)}"
        answer = await self._ask(Request("GET", path, seconds=MEDIA_SECONDS, most=most))
        return Media(answer.content_type, answer.body)

    async def members(self, room_id: str) -> set[str]:
        """Return who is in a room."""
        found = await self.call(Request("GET", f"{_room(room_id)}/joined_members"))
        joined = found.get("joined")
        return set(joined) if isinstance(joined, dict) else set()

    async def account_data(self, kind: str) -> dict[str, Any]:
        """Return a setting that is kept with the account; empty when there is none."""
        try:
            return await self.call(Request("GET", self._setting(kind)))
        except Rejected as error:
            if error.code != "M_NOT_FOUND":
                raise
            return {}

    async def set_account_data(self, kind: str, content: Mapping[str, object]) -> None:
        """Keep a setting with the account."""
        await self.call(Request("PUT", self._setting(kind), body=content))

    def _setting(self, kind: str) -> str:
        return f"{CLIENT}/user/{_q(self.login.user_id)}/account_data/{_q(kind)}"

    async def call(self, request: Request) -> dict[str, Any]:
        """Make any request as this login; return the object that answers it. Raises as `_ask`."""
        return (await self._ask(request)).json()

    async def listed(self, request: Request) -> list[dict[str, Any]]:
        """Make any request as this login; return the objects of the list that answers it."""
        return (await self._ask(request)).listed()

    async def _ask(self, request: Request) -> Answer:
        """Make a request; a login that ran out is renewed once, if it can be.

        Raises:
            LoginLost, Limited, Rejected, NotReached, Faltering: See there.
        """
        token, named = self.login.token, self.login.named()
        if named:
            request = replace(request, query={**(request.query or {}), **named})
        answer = await self._wire.ask(request, token=token)
        try:
            raise_for(answer)
        except LoginLost as lost:
            if not lost.is_soft or not await self._renew(token):
                raise
            answer = await self._wire.ask(request, token=self.login.token)
            raise_for(answer)
        return answer

    async def _renew(self, used: str) -> bool:
        """Get a new token for the refresh token; say whether there is one to go on with."""
        async with self._renewing:
            if self.login.token != used:
                return True  # another request was first
            if not self.login.refresh_token:
                return False
            login = await self._refreshed()
            if self._renewed is not None:
                await self._renewed(login)
            self.login = login
            return True

    async def _refreshed(self) -> Login:
        body = {"refresh_token": self.login.refresh_token}
        answer = await self._wire.ask(Request("POST", f"{CLIENT}/refresh", body=body))
        try:
            raise_for(answer)
        except Rejected as error:
            raise LoginLost(error.code) from error
        found = answer.json()
        token, following = found.get("access_token"), found.get("refresh_token")
        if not isinstance(token, str) or not token:
            raise LoginLost("M_UNKNOWN_TOKEN")
        if not isinstance(following, str) or not following:
            following = self.login.refresh_token
        return replace(self.login, token=token, refresh_token=following)


def _event_id(found: Mapping[str, object]) -> str:
    event_id = found.get("event_id")
    if not isinstance(event_id, str) or not event_id:
        raise Faltering("The homeserver took it and did not say under which name.")
    return event_id


def _room(room_id: str) -> str:
    return f"{CLIENT}/rooms/{_q(room_id)}"


def _q(part: str) -> str:
    return quote(part, safe="", errors="replace")
