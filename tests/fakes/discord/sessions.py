"""One bot's sessions on the gateway: what each was sent, and what it can have again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.fakes.discord import intents as bits
from tests.fakes.discord.model import App, Channel, Guild
from tests.fakes.discord.permissions import may
from tests.fakes.discord.shapes import Json, Viewer
from tests.fakes.discord.transport import Packer

Written = Callable[[Viewer], Json]
Closing = tuple[int, str]


class Line:
    """One websocket: payloads go out in the order in which they were put."""

    def __init__(self, connection: ServerConnection, pack: Packer) -> None:
        self.connection = connection
        self._pack = pack
        self._waiting: asyncio.Queue[Json | Closing] = asyncio.Queue()
        self.flows = asyncio.Event()  # while it is not set, nothing arrives and nothing is said
        self.flows.set()
        self._writer = asyncio.create_task(self._write())

    def put(self, payload: Json) -> None:
        self._waiting.put_nowait(payload)

    def close(self, code: int, reason: str = "") -> None:
        """Close once everything put before is out."""
        self._waiting.put_nowait((code, reason))

    def abort(self) -> None:
        """Break the connection as a pulled cable does: no closing handshake."""
        self.connection.transport.abort()

    async def end(self) -> None:
        self._writer.cancel()
        with suppress(asyncio.CancelledError):
            await self._writer

    async def _write(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                item = await self._waiting.get()
                await self.flows.wait()
                if isinstance(item, tuple):
                    await self.connection.close(*item)
                    return
                await self.connection.send(self._pack(item))


class Session:
    """What one IDENTIFY began. It outlives its connections until it ends or is invalidated."""

    def __init__(self, app: App, intents: int, shard: tuple[int, int]) -> None:
        self.id = secrets.token_hex(16)
        self.app = app
        self.intents = intents
        self.shard = shard
        self.line: Line | None = None
        self._sent: list[Json] = []
        self.viewer = Viewer(app.user, bool(intents & bits.MESSAGE_CONTENT))

    @property
    def sequence(self) -> int:
        return len(self._sent)

    def push(self, event: str, data: Json) -> None:
        """Send an event now, or keep it for when the session is resumed."""
        payload = {"op": 0, "s": self.sequence + 1, "t": event, "d": data}
        self._sent.append(payload)
        if self.line is not None:
            self.line.put(payload)

    def replay(self, after: int) -> None:
        """Send again everything that came after a sequence number."""
        assert self.line is not None
        for payload in self._sent[after:]:
            self.line.put(payload)

    def serves(self, guild: Guild | None) -> bool:
        number, count = self.shard
        return ((guild.id >> 22) % count if guild else 0) == number


class Hub:
    """Every session there is, and who of them hears what."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    def open(self, session: Session) -> None:
        self.sessions[session.id] = session

    def end(self, session: Session) -> None:
        self.sessions.pop(session.id, None)

    def of(self, app: App) -> list[Session]:
        return [one for one in self.sessions.values() if one.app is app]

    def say(self, event: str, place: Channel, data: Written) -> None:
        """Tell every bot that can see a place what happened there."""
        for session in list(self.sessions.values()):
            if may(session.app.user, place, "view_channel"):
                self.tell(session, event, place.guild, data)

    def say_in_guild(self, event: str, guild: Guild, data: Written) -> None:
        for session in list(self.sessions.values()):
            if session.app.id in guild.members:
                self.tell(session, event, guild, data)

    def say_to(self, app: App, event: str, guild: Guild | None, data: Written) -> None:
        """Tell one bot, whether or not it could see it otherwise."""
        for session in self.of(app):
            self.tell(session, event, guild, data)

    @staticmethod
    def tell(session: Session, event: str, guild: Guild | None, data: Written) -> None:
        wanted = bits.wants(session.intents, event, in_guild=guild is not None)
        if wanted and session.serves(guild):
            session.push(event, data(session.viewer))

    def lines(self, app: App | None = None) -> list[Line]:
        """Return the open connections: of one bot, or all."""
        return [
            session.line
            for session in self.sessions.values()
            if session.line is not None and app in {None, session.app}
        ]
