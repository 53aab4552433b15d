"""An agent's bot on Discord: one session at a time, supervised, and a way out beside it."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import aiohttp
import discord

from agentapp.cards.showing import CardFace
from agentapp.foundation.envelope import (
    Outgoing,
    Receipt,
)
from agentapp.foundation.errors import Refused
from agentapp.identity.services import connections
from agentapp.identity.services.leases import HeldAccount
from agentapp.identity.services.opening import open_login
from bots.bridge import Bridge
from bots.connector import Accept, NotSent
from bots.discord import cards
from bots.discord.address import point
from bots.discord.book import Book
from bots.discord.connection import Connection
from bots.discord.errors import (
    IntentsMissing,
    LoginLost,
    NotReached,
    OverBudget,
    translated,
)
from bots.discord.files import fetched
from bots.discord.gateway import Gateway, own_id
from bots.discord.intents import Reads
from bots.discord.parse import PLATFORM
from bots.discord.posts import is_post
from bots.discord.proving import details_of
from bots.discord.refusals import Refusals
from bots.discord.sending import Sender
from bots.discord.watching import closed
from bots.recording import recorded

logger = logging.getLogger(__name__)

MOST_SESSIONS = 200  # of one bot in a day; at a thousand Discord takes its token away


class DiscordConnector:
    """One agent's bot."""

    def __init__(self, account: HeldAccount, bridge: Bridge) -> None:
        self._account = account
        self._bridge = bridge
        self._stopped = asyncio.Event()
        self._refusals = Refusals.of(bridge)
        self._book = Book()
        self._reads = Reads()
        self._client: Gateway | None = None
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self._lost: tuple[str, Refused] | None = None  # the token, and why it is of no use
        point()

    async def verify(self) -> str:
        """Return the bot's user id.

        A token that Discord refused is not shown to it again before it was changed here.
        """
        stored = await self._bridge.call(open_login, account_id=self._account.account_id)
        if self._lost is not None and self._lost[0] == stored.secret:
            raise self._lost[1]
        self._lost = None
        self._refusals.check()
        await self._close()
        try:
            self._client = await self._logged_in(stored.secret)
        except (LoginLost, IntentsMissing) as error:
            self._lost = (stored.secret, error)
            raise
        return str(own_id(self._client))

    async def start(self, accept: Accept) -> None:
        """Read along until stopped. Everything goes in by batches, not one by one."""
        client = self._connected()
        self._book = Book()
        connection = Connection(
            account=self._account, bridge=self._bridge, client=client, book=self._book
        )
        self._connection = connection
        self._running = asyncio.create_task(connection.run())
        if self._stopped.is_set():
            self._running.cancel()
        try:
            await asyncio.wait([self._running])
            if not self._running.cancelled():
                _raise_first(self._running.exception())
        except (LoginLost, IntentsMissing) as error:
            self._lost = (self._token(), error)
            raise
        finally:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            connection.stop()
            await self._close()

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Put a piece into its channel, under its key as the message's nonce."""
        self._refusals.check()
        try:
            external_id = await self._sender().put(outgoing)
        except LoginLost as error:
            raise NotSent(self._losing(error).message) from error
        return Receipt(external_id, message_id=await self._recorded(outgoing, external_id))

    async def read_back(self, outgoing: Outgoing) -> Receipt | None:
        """Look for a piece by its key, or by its words after the first attempt."""
        self._refusals.check()
        external_id = await self._sender().find(outgoing)
        if not external_id:
            return None
        return Receipt(external_id, message_id=await self._recorded(outgoing, external_id))

    async def fetch(self, source: str, *, most: int) -> bytes:
        """Return an attachment; its link is asked for anew, because links run out."""
        self._refusals.check()
        return await fetched(self._connected(), source, most=most)

    async def upload(self, content: bytes, *, content_type: str, name: str, room: str) -> str:
        """Do nothing: Discord takes a file together with the message that shows it."""
        return PLATFORM

    async def show_card(self, face: CardFace) -> tuple[str, str]:
        """Show an approval card in somebody's direct chat, or change the one that stands."""
        self._refusals.check()
        with translated():
            return await cards.show(self._connected(), face)

    async def set_typing(self, room_external_id: str, *, on: bool) -> None:
        """Show that this bot is writing; that fades by itself."""
        if self._connection is not None:
            await self._connection.show_typing(room_external_id, on)

    async def enter(self, room_external_id: str) -> None:
        """Begin to read and talk in a channel."""
        await self._joined().enter(int(room_external_id))

    async def leave(self, room_external_id: str, *, reason: str) -> None:
        """Read no more in a channel, or leave a whole server."""
        await self._joined().leave(int(room_external_id))

    async def end(self) -> None:
        """Leave every server. The token stays valid: only its owner can take it back."""
        client = self._connected()
        with translated():
            async for guild in client.fetch_guilds(limit=None, with_counts=False):
                await client.http.leave_guild(guild.id)

    async def stop(self) -> None:
        """End `start` and the connections."""
        self._stopped.set()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self._close()

    async def _logged_in(self, token: str) -> Gateway:
        """Return a client whose token counts, which asks for what its application may read."""
        client = await self._asking(token, self._reads)
        reads = Reads.of(client.application_flags)
        if reads != self._reads:
            await closed(client)
            self._reads = reads
            client = await self._asking(token, reads)
        await self._bridge.call(
            partial(
                connections.keep_details,
                account_id=self._account.account_id,
                fence=self._account.fence,
                details=details_of(client).packed(),
            )
        )
        return client

    async def _asking(self, token: str, reads: Reads) -> Gateway:
        client = Gateway(reads=reads, begin=self._begin, refused=self._note_refused)
        try:
            with translated():
                await client.login(token)
        except (OSError, aiohttp.ClientError, TimeoutError, discord.DiscordServerError) as error:
            await closed(client)
            raise NotReached from error
        except BaseException:
            await closed(client)
            raise
        return client

    async def _begin(self) -> None:
        """Count a session before it begins.

        Raises:
            OverBudget: There were too many today.
        """
        may = await self._bridge.call(
            partial(
                connections.begin_session,
                account_id=self._account.account_id,
                fence=self._account.fence,
                most=MOST_SESSIONS,
            )
        )
        self._book.all_behind()
        if not may:
            raise OverBudget

    def _note_refused(self) -> None:
        self._refusals.note(self._account.account_id)

    async def _close(self) -> None:
        client, self._client, self._connection = self._client, None, None
        if client is not None:
            await closed(client)

    def _losing(self, error: LoginLost) -> LoginLost:
        """Note that the token is of no use until it is changed, and end the session."""
        self._lost = (self._token(), error)
        if self._running is not None:
            self._running.cancel()
        return error

    def _token(self) -> str:
        return self._client.http.token or "" if self._client is not None else ""

    def _connected(self) -> Gateway:
        if self._lost is not None:
            raise NotSent(self._lost[1].message)
        if self._client is None:
            raise NotSent("The bot is not connected at the moment.")
        return self._client

    def _joined(self) -> Connection:
        if self._connection is None:
            raise NotSent("The bot is not connected at the moment.")
        return self._connection

    async def _recorded(self, outgoing: Outgoing, external_id: str) -> int | None:
        client = self._client
        if client is not None and is_post(client, outgoing):
            return None  # it stands in a thread of its own, which its echo brings
        return await recorded(outgoing, external_id, account=self._account, bridge=self._bridge)

    def _sender(self) -> Sender:
        return Sender(client=self._connected(), bridge=self._bridge, book=self._book)


def _raise_first(error: BaseException | None) -> None:
    """Raise what ended a connection: of several things at once, the one that is final."""
    found: list[BaseException] = []
    waiting = [error] if error is not None else []
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        else:
            found.append(one)
    final = [one for one in found if isinstance(one, Refused)]
    for one in [*final, *found]:
        raise one
