"""An agent's login on a Matrix homeserver: one own sync loop, events and cursor stored together.

The cursor moves only in the transaction that stores what came before it. So whatever ends the
loop, the next one starts where the record stands.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial

from agentapp.foundation.envelope import (
    Outgoing,
    Receipt,
)
from agentapp.foundation.errors import AgentError
from agentapp.identity.services.leases import HeldAccount
from agentapp.identity.services.opening import keep_secret, open_login
from agentapp.intake.batches import ENCRYPTED_NOTICE
from agentapp.intake.queries import is_encrypted, rooms_inside, thinking_in
from bots.bridge import Bridge
from bots.connector import Accept, FileTooLong, NotSent
from bots.matrix import doors
from bots.matrix.credentials import Login
from bots.matrix.crypt.attachments import unpacked as unlocking
from bots.matrix.crypt.machine import Crypt, opened
from bots.matrix.errors import Faltering, LoginLost, TooLong
from bots.matrix.ghosts import haunting
from bots.matrix.harvest import Harvester
from bots.matrix.listening import Listener, ended
from bots.matrix.login import packed, unpacked
from bots.matrix.parse import PLATFORM
from bots.matrix.recent import Recent
from bots.matrix.sealing import Sealing
from bots.matrix.sending import Sender
from bots.matrix.settle import Settler
from bots.matrix.transport import Homeserver
from bots.recording import recorded
from bots.typing import Typing

logger = logging.getLogger(__name__)

TYPING_SECONDS, TYPING_RENEW_SECONDS = 30.0, 20.0  # that it is shown, and told again


class MatrixConnector:
    """One agent on one homeserver."""

    def __init__(self, account: HeldAccount, bridge: Bridge) -> None:
        self._account = account
        self._bridge = bridge
        self._stopped = asyncio.Event()
        self._recent = Recent()
        self._server: Homeserver | None = None
        self._sender: Sender | None = None
        self._lost: tuple[Login, LoginLost] | None = None  # the login, and why it is of no use
        self._harvester: Harvester | None = None
        self._crypt: Crypt | None = None
        self._listening: asyncio.Task[None] | None = None

    async def verify(self) -> str:
        """Return the user id of this login.

        A login that the homeserver refused is not shown to it again before it was changed here.
        """
        stored = await self._bridge.call(open_login, account_id=self._account.account_id)
        login = unpacked(stored.secret)
        if self._lost is not None and self._lost[0] == login:
            raise self._lost[1]
        self._lost = None
        try:
            server = await self._opened(login)
            return await (haunting.verify(server) if login.is_ghost else server.whoami())
        except LoginLost as error:
            raise self._losing(error) from error

    async def start(self, accept: Accept) -> None:
        """Read along until stopped. Everything goes in by whole syncs, not one by one."""
        self._listening = asyncio.create_task(self._listen())
        if self._stopped.is_set():
            self._listening.cancel()
        try:
            await asyncio.wait([self._listening])
            if not self._listening.cancelled():
                self._listening.result()
        finally:
            await ended(self._listening)

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Put a piece into its room, under its key as the homeserver's transaction id."""
        try:
            event_id = await self._out().put(outgoing)
        except LoginLost as error:
            raise NotSent(self._losing(error).message) from error
        return Receipt(event_id, message_id=await self._recorded(outgoing, event_id))

    async def read_back(self, outgoing: Outgoing) -> Receipt | None:
        """Look for a piece by its transaction id among one's own events."""
        event_id = await self._out().find(outgoing)
        if not event_id:
            return None
        return Receipt(event_id, message_id=await self._recorded(outgoing, event_id))

    async def fetch(self, source: str, *, most: int) -> bytes:
        """Return a file of the homeserver's, of this one or of another one's."""
        locked = unlocking(source)
        try:
            where = locked.url if locked else source
            content = (await self._connected().download(where, most=most)).content
        except TooLong as error:
            raise FileTooLong from error
        except LoginLost as error:
            raise NotSent(self._losing(error).message) from error
        return await asyncio.to_thread(locked.opened, content) if locked else content

    async def upload(self, content: bytes, *, content_type: str, name: str, room: str) -> str:
        """Lay a file down in the homeserver's store; return its mxc address.

        For an encrypted room it lies there locked, without its name, and what opens it is
        returned with the address.
        """
        try:
            content, locked = await self._out().sealing.locked(content, room)
            kind, called = ("application/octet-stream", "file") if locked else (content_type, name)
            mxc = await self._connected().upload(content, content_type=kind, name=called)
        except LoginLost as error:
            raise NotSent(self._losing(error).message) from error
        if not mxc.startswith("mxc://"):
            raise Faltering("The homeserver took a file and did not say where it is.")
        return replace(locked, url=mxc).packed() if locked else mxc

    async def set_typing(self, room_external_id: str, *, on: bool) -> None:
        """Show or hide that this login is writing."""
        seconds = TYPING_SECONDS if on else 0
        await self._connected().set_typing(room_external_id, on=on, seconds=seconds)

    async def _show_typing(self, room: str, on: bool) -> None:
        await self.set_typing(room, on=on)

    async def enter(self, room_external_id: str) -> None:
        """Go into a room."""
        await doors.enter(self._connected(), room_external_id)

    async def leave(self, room_external_id: str, *, reason: str) -> None:
        """Leave a room or decline an invitation."""
        await doors.leave(self._connected(), room_external_id, reason=reason)

    async def end(self) -> None:
        """Leave every room; the homeserver then forgets token and device."""
        await doors.leave_all(self._connected())

    async def stop(self) -> None:
        """End `start` and the connections; the login stays valid."""
        self._stopped.set()
        await ended(*filter(None, [self._listening]))
        await self._close()

    async def _opened(self, login: Login) -> Homeserver:
        """Return the connections of a login; those of the one before it end."""
        if self._server is None or self._server.login != login:
            await self._close()
            wire = haunting.wire_of(self._bridge, login) if login.is_ghost else None
            self._server = Homeserver(login, renewed=self._keep, wire=wire)
            self._crypt = await opened(
                bridge=self._bridge, account=self._account, server=self._server
            )
            sealing = self._sealing_at(self._server)
            self._sender = Sender(server=self._server, recent=self._recent, sealing=sealing)
        return self._server

    async def _close(self) -> None:
        server, self._server, self._sender = self._server, None, None
        if server is not None:
            await server.close()

    async def _keep(self, login: Login) -> None:
        """Store a refreshed login before it is used: the old refresh token is spent."""
        kept = await self._bridge.call(
            keep_secret,
            account_id=self._account.account_id,
            fence=self._account.fence,
            secret=packed(login),
            token=login.token,
        )
        if not kept:
            raise Faltering("Another process runs this login by now.")

    def _losing(self, error: LoginLost) -> AgentError:
        """Note that the login is of no use until it is changed; of a ghost, nothing is lost yet."""
        if self._server is None:
            return error
        if self._server.login.is_ghost:
            return haunting.ServiceUnknown()
        self._lost = (self._server.login, error)
        return error

    def _connected(self) -> Homeserver:
        if self._server is None:
            raise NotSent("The login is not connected at the moment.")
        return self._server

    def _out(self) -> Sender:
        if self._lost is not None:
            raise NotSent(self._lost[1].message)
        if self._sender is None:
            raise NotSent("The login is not connected at the moment.")
        return self._sender

    def _sealing_at(self, server: Homeserver) -> Sealing:
        return Sealing(
            server=server,
            views=lambda: self._harvester.views if self._harvester else {},
            was_encrypted=self._was_encrypted,
            crypt=lambda: self._crypt,
        )

    async def _was_encrypted(self, room_id: str) -> bool:
        asked = partial(is_encrypted, workspace_id=self._account.workspace_id, platform=PLATFORM)
        return await self._bridge.call(partial(asked, external_id=room_id))

    async def _recorded(self, outgoing: Outgoing, event_id: str) -> int | None:
        if outgoing.text == ENCRYPTED_NOTICE:
            return None
        return await recorded(outgoing, event_id, account=self._account, bridge=self._bridge)

    async def _listen(self) -> None:
        server = self._connected()
        if server.login.is_ghost:
            await self._haunt(server)
            return
        stored = await self._bridge.call(open_login, account_id=self._account.account_id)
        since = stored.cursor.get("since")
        since = since if isinstance(since, str) else ""
        inside = await self._bridge.call(
            rooms_inside, agent_id=self._account.agent_id, account_id=self._account.account_id
        )
        settler = Settler(
            server=server, bridge=self._bridge, workspace_id=self._account.workspace_id
        )
        harvester = Harvester(
            server=server,
            account=self._account,
            inside=inside,
            recent=self._recent,
            settler=settler,
            crypt=self._crypt,
        )
        self._harvester = harvester
        typing = Typing(
            thinking=partial(
                self._bridge.together, thinking_in, (self._account.agent_id, PLATFORM)
            ),
            renew_seconds=TYPING_RENEW_SECONDS,
            show=self._show_typing,
        )
        listener = Listener(server=server, bridge=self._bridge, harvester=harvester)
        try:
            async for harvest in listener.harvests(since):
                if harvest.seen:
                    typing.heard()
        except LoginLost as error:
            raise self._losing(error) from error
        finally:
            typing.stop()
            await listener.stop()

    async def _haunt(self, server: Homeserver) -> None:
        """Be there without listening: what happens is handed to the application service."""
        try:
            await haunting.stay(server, bridge=self._bridge, account=self._account)
        except LoginLost as error:
            raise self._losing(error) from error
