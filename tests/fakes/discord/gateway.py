"""The gateway: Discord's websocket protocol, version 10, with real sockets.

A session that is cut stays: what happens meanwhile waits for RESUME. It ends when the client closes
with 1000 or 1001, or when a test invalidates it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.fakes.discord import intents as bits
from tests.fakes.discord import shapes
from tests.fakes.discord.model import App, Guild
from tests.fakes.discord.sessions import Hub, Line, Session
from tests.fakes.discord.shapes import Json
from tests.fakes.discord.transport import packer
from tests.fakes.discord.world import World

HOST = "127.0.0.1"
LARGEST = 4096  # bytes that a client may send at once
CLOSED_FOR_GOOD = {1000, 1001}
BEAT, IDENTIFY, PRESENCE, VOICE, RESUME = 1, 2, 3, 4, 6
RECONNECT, MEMBERS, INVALID, HELLO, ACK, SOUNDS = 7, 8, 9, 10, 11, 31


class Wrong(Exception):
    """The client broke the protocol; the connection closes with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Gateway:
    """Serves every bot's websocket, and counts what they began and beat."""

    def __init__(self, world: World, hub: Hub, changed: Callable[[], None]) -> None:
        self.world = world
        self.hub = hub
        self.heartbeat_interval = 41_250  # milliseconds
        self.acknowledges = True
        self.counts: Counter[str] = Counter()
        self.transports: Counter[str] = Counter()
        self.door = asyncio.Event()
        self.door.set()
        self._changed = changed
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await serve(
            self._meet,
            HOST,
            0,
            compression=None,
            max_size=LARGEST,
            ping_interval=None,
            close_timeout=1,
            process_request=self._at_the_door,
        )

    async def stop(self) -> None:
        assert self._server is not None
        self.door.set()
        for connection in list(self._server.connections):
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def _at_the_door(self, connection: ServerConnection, request: Any) -> None:
        """Let nobody in while a test keeps the door shut: they wait, so that no try fails."""
        await self.door.wait()

    async def _meet(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        query = parse_qs(urlsplit(connection.request.path).query)
        transport = query.get("compress", [""])[0]
        if query.get("v") != ["10"] or query.get("encoding") != ["json"]:
            await connection.close(4012, "Invalid API version")
            return
        self.transports[transport] += 1
        line = Line(connection, packer(transport))
        try:
            await self._talk(line)
        finally:
            await line.end()
            self._changed()

    async def _talk(self, line: Line) -> None:
        line.put({"op": HELLO, "s": None, "t": None, "d": {"heartbeat_interval": self._beat()}})
        session: Session | None = None
        try:
            async for raw in line.connection:
                session = self._take(line, session, raw)
                self._changed()
        except Wrong as wrong:
            with suppress(ConnectionClosed):
                await line.connection.close(wrong.code, wrong.reason)
        except ConnectionClosed:
            pass
        finally:
            self._left(line, session)

    def _beat(self) -> int:
        return self.heartbeat_interval

    def _left(self, line: Line, session: Session | None) -> None:
        if session is None or session.line is not line:
            return
        session.line = None
        if line.connection.close_code in CLOSED_FOR_GOOD and line.connection.protocol.close_rcvd:
            self.hub.end(session)

    def _take(self, line: Line, session: Session | None, raw: str | bytes) -> Session | None:
        """Act on one payload of the client; return the session that the line now has."""
        try:
            payload = json.loads(raw)
            op, data = payload["op"], payload.get("d")
        except (ValueError, KeyError, TypeError):
            raise Wrong(4002, "Error while decoding payload.") from None
        self.counts[_NAMES.get(op, "unknown")] += 1
        if op == BEAT:
            self._acknowledge(line)
            return session
        if op in {IDENTIFY, RESUME}:
            if session is not None:
                raise Wrong(4005, "Already authenticated.")
            return self._identify(line, data) if op == IDENTIFY else self._resume(line, data)
        if session is None:
            raise Wrong(4003, "Not authenticated.")
        self._serve(session, op, data)
        return session

    def _acknowledge(self, line: Line) -> None:
        if self.acknowledges:
            line.put({"op": ACK, "s": None, "t": None, "d": None})

    def _serve(self, session: Session, op: int, data: Any) -> None:
        if op == MEMBERS:
            self._send_members(session, data)
        elif op not in {PRESENCE, VOICE, SOUNDS}:
            raise Wrong(4001, "Unknown opcode.")

    def _identify(self, line: Line, data: Json) -> Session:
        app = self._known(data.get("token", ""))
        intents = _checked(app, data.get("intents"))
        shard = _shard(data.get("shard", [0, 1]))
        app.identifies += 1
        app.identifies_left -= 1
        session = Session(app, intents, shard)
        session.line = line
        self.hub.open(session)
        session.push("READY", self._ready(session))
        for guild in self.world.guilds_of(app):
            if session.serves(guild):
                self._greet(session, guild)
        return session

    def _known(self, token: str) -> App:
        app = self.world.app_with(token.removeprefix("Bot "))
        if app is None:
            raise Wrong(4004, "Authentication failed.")
        if app.identifies_left <= 0:
            # Beyond its thousand a day an application loses its token and all its sessions.
            self.world.reset_token(app)
            raise Wrong(4004, "Authentication failed.")
        return app

    @staticmethod
    def _greet(session: Session, guild: Guild) -> None:
        def data(_viewer: shapes.Viewer) -> Json:
            # Clients know by this word that they were in the guild before.
            return shapes.guild_create(guild, session.app) | {"unavailable": False}

        Hub.tell(session, "GUILD_CREATE", guild, data)

    def _ready(self, session: Session) -> Json:
        app = session.app
        guilds = [one for one in self.world.guilds_of(app) if session.serves(one)]
        return {
            "v": 10,
            "user": shapes.me(app.user),
            "guilds": [{"id": str(one.id), "unavailable": True} for one in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "application": {"id": str(app.id), "flags": shapes.application(app)["flags"]},
            "private_channels": [],
            "shard": list(session.shard),
        }

    def _resume(self, line: Line, data: Json) -> Session | None:
        session = self.hub.sessions.get(data.get("session_id", ""))
        token = str(data.get("token", "")).removeprefix("Bot ")
        if self.world.app_with(token) is None:
            raise Wrong(4004, "Authentication failed.")
        if session is None or session.app.token != token:
            line.put({"op": INVALID, "s": None, "t": None, "d": False})
            return None
        if data["seq"] > session.sequence:
            raise Wrong(4007, "Invalid seq.")
        if session.line is not None:
            session.line.abort()
        session.line = line
        session.replay(data["seq"])
        session.push("RESUMED", {"_trace": []})
        return session

    def _send_members(self, session: Session, data: Json) -> None:
        guild = self.world.guilds.get(int(data["guild_id"]))
        if guild is None or session.app.id not in guild.members:
            return
        found = _asked_for(guild, data)
        told = {
            "guild_id": str(guild.id),
            "members": [shapes.member(guild.members[one]) for one in found],
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [],
        }
        if data.get("nonce"):
            told["nonce"] = data["nonce"]
        session.push("GUILD_MEMBERS_CHUNK", told)


_NAMES = {BEAT: "heartbeat", IDENTIFY: "identify", RESUME: "resume", MEMBERS: "members"}


def _asked_for(guild: Guild, data: Json) -> list[int]:
    wanted = data.get("user_ids")
    if wanted is not None:
        ids = wanted if isinstance(wanted, list) else [wanted]
        return [int(one) for one in ids if int(one) in guild.members]
    beginning = str(data.get("query", "")).lower()
    return [one.user.id for one in guild.members.values() if one.user.name.startswith(beginning)]


def _checked(app: App, intents: Any) -> int:
    if not isinstance(intents, int) or intents & ~bits.KNOWN:
        raise Wrong(4013, "Invalid intent(s).")
    if intents & bits.PRIVILEGED & ~app.enabled:
        raise Wrong(4014, "Disallowed intent(s).")
    return intents


def _shard(data: Any) -> tuple[int, int]:
    number, count = data
    if not 0 <= number < count:
        raise Wrong(4010, "Invalid shard.")
    return number, count
