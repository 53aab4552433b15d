"""One session of a bot, from its first hello until something ends it."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import Any, cast

import discord

from agentapp.foundation import clock
from agentapp.foundation.errors import AgentError
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.queries import thinking_in
from agentapp.intake.seen import RoomNews
from bots.bridge import Bridge
from bots.connector import SendRefused
from bots.discord import cards
from bots.discord.backfill import Backfill, newest_of
from bots.discord.book import Book, Mark
from bots.discord.commands import Commands, fingerprint, registered
from bots.discord.errors import IntentsMissing, LoginLost, NotReached, translated
from bots.discord.gateway import Gateway
from bots.discord.listening import Listener, reachable
from bots.discord.parse import PLATFORM, parse_arrival, parse_departure
from bots.discord.places import hindrance, place_of
from bots.discord.rollcall import RollCall
from bots.discord.rooms import RoomList
from bots.discord.watching import check
from bots.typing import Typing

logger = logging.getLogger(__name__)

READY_WITHIN = 60.0  # seconds for a new session
WATCH_SECONDS = 2.0  # between two looks at how the connection fares
TYPING_SECONDS = 8.0  # Discord shows it for ten
_FINAL_CODES = {4004, 4010, 4011, 4012, 4013}


class Connection:
    """Listens, reads up and keeps the list of rooms right, until it ends.

    Args:
        client: Logged in, not yet connected.
        book: Shared with what sends.
    """

    def __init__(
        self, *, account: HeldAccount, bridge: Bridge, client: Gateway, book: Book
    ) -> None:
        self._account = account
        self._bridge = bridge
        self._client = client
        self._book = book
        self._listener = Listener(account=account, bridge=bridge, client=client, book=book)
        self._roll = RollCall(
            account=account, bridge=bridge, client=client, book=book, listener=self._listener
        )
        self._behind = asyncio.Event()
        self._rooms = RoomList(
            account=account, bridge=bridge, client=client, book=book, listener=self._listener
        )
        self._commands = Commands(account=account, bridge=bridge)
        self._answering: set[asyncio.Task[None]] = set()
        self._typing = Typing(
            thinking=partial(bridge.together, thinking_in, (account.agent_id, PLATFORM)),
            renew_seconds=TYPING_SECONDS,
            show=self.show_typing,
        )

    async def run(self) -> None:
        """Stay connected until something ends it.

        Raises:
            LoginLost, IntentsMissing, OverBudget: For good, until somebody changes something.
            Exception: Anything else; a new connection may do.
        """
        await self._listener.load()
        self._client.ears = self
        async with asyncio.TaskGroup() as group:
            for work in (
                self._connected(),
                self._listener.store_all(),
                self._watch(),
                self._read_up(),
                self._roll.keep_calling(),
                self._rooms.keep(),
                self._offer_commands(),
            ):
                group.create_task(work)

    def stop(self) -> None:
        """End what follows the talk."""
        self._client.ears = None
        self._typing.stop()
        for task in list(self._answering):
            task.cancel()

    async def enter(self, channel_id: int) -> None:
        """Begin to read and talk in a channel that its owner picked.

        Raises:
            SendRefused: It is gone, or not open to the bot.
        """
        channel = self._client.get_channel(channel_id)
        place = place_of(channel)
        if place is None or not reachable(self._client, channel_id):
            raise SendRefused("It cannot see that channel any more.")
        if isinstance(channel, discord.TextChannel | discord.ForumChannel):
            lacks = hindrance(channel)
            if lacks:
                raise SendRefused(lacks)
        # Whatever is there by now, threads that opened without a word in the channel as well.
        threads = (thread.id for thread in self._threads_of(channel_id))
        newest = max(channel_id, newest_of(channel), *threads)
        mark = Mark(newest, is_behind=False, has_archive=False)
        self._book.marks[channel_id] = mark
        since = await self._bridge.call(clock.now)
        mark.since = discord.utils.time_snowflake(since)
        await self._listener.store(RoomNews(place, since=since, read_to=str(newest)))

    async def leave(self, channel_id: int) -> None:
        """Read no more in a channel; a whole server is left for good."""
        guild = self._client.get_guild(channel_id)
        if guild is not None:
            with translated():
                await guild.leave()
            return
        self._book.marks.pop(channel_id, None)
        for thread in self._threads_of(channel_id):
            self._book.marks.pop(thread.id, None)

    async def show_typing(self, room: str, on: bool) -> None:
        """Show that it writes; that fades by itself."""
        if not on:
            return
        try:
            await self._client.http.send_typing(int(room))
        except discord.DiscordException as error:
            logger.debug("typing is not shown: %s", type(error).__name__)

    # What the gateway says

    def said(self, message: discord.Message) -> None:
        """Hear a message."""
        self._listener.said(message)
        if self._client.user is not None and message.author.id != self._client.user.id:
            self._typing.heard()

    def changed(self, message: discord.Message) -> None:
        """Hear a message's new words."""
        self._listener.changed(message)

    def deleted(self, channel_id: int, message_ids: list[int]) -> None:
        """Hear that messages are gone."""
        self._listener.deleted(channel_id, message_ids)

    def reacted(self, payload: discord.RawReactionActionEvent) -> None:
        """Hear of an emoji."""
        self._listener.reacted(payload)

    def renewed(self, guild: discord.Guild) -> None:
        """Hear that a server changed; its list is written when it has settled."""
        self._rooms.renewed([guild])

    def expelled(self, guild: discord.Guild) -> None:
        """Hear that the bot is out of a server."""
        places = [*guild.channels, *guild.threads]
        for one in places:
            self._listener.lost(one.id, "It was removed from the server.")
        self._rooms.renewed([])

    def ready(self, is_new: bool) -> None:
        """Hear that everything is there."""
        self._rooms.is_complete = True
        if is_new:
            self._roll.due.set()
        self._rooms.renewed(self._client.guilds)
        self._behind.set()

    def asked(self, interaction: discord.Interaction) -> None:
        """Hear a command or a press; each is answered beside all else."""
        task = asyncio.create_task(self._answer(interaction))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def came(self, member: discord.Member) -> None:
        """Hear that somebody came into a server."""
        self._listener.moved(member.guild, parse_arrival(member))

    def went(self, guild_id: int, who: discord.abc.User) -> None:
        """Hear that somebody left a server."""
        guild = self._client.get_guild(guild_id)
        if guild is not None:
            self._listener.moved(guild, parse_departure(guild, who))

    async def _answer(self, interaction: discord.Interaction) -> None:
        try:
            if interaction.type is discord.InteractionType.application_command:
                await self._commands.answer(interaction)
            elif interaction.type is discord.InteractionType.component:
                await cards.press(interaction, bridge=self._bridge)
        except Exception:  # one odd question must not end the connection
            logger.exception("a command could not be answered")

    # What runs beside

    async def _connected(self) -> None:
        try:
            await self._client.connect()
        except discord.PrivilegedIntentsRequired as error:
            raise IntentsMissing from error
        except discord.ConnectionClosed as error:
            if error.code in _FINAL_CODES:
                raise LoginLost from error
            raise NotReached from error
        raise NotReached  # it ended by itself

    async def _watch(self) -> None:
        """End a connection that is open and dead, and read again what had no room."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self._rooms.is_complete and time.monotonic() - began > READY_WITHIN:
                raise NotReached
            check(self._client)
            if self._listener.overflowed:
                self._listener.overflowed = False
                self._behind.set()

    async def _read_up(self) -> None:
        """Fetch what was missed, whenever something may have been."""
        backfill = Backfill(
            bridge=self._bridge,
            client=self._client,
            book=self._book,
            listener=self._listener,
        )
        while True:
            await self._behind.wait()
            self._behind.clear()
            if not await backfill.catch_up():
                await asyncio.sleep(WATCH_SECONDS)
                self._behind.set()

    async def _offer_commands(self) -> None:
        """Tell Discord which commands there are, if that is not what it was told last."""
        commands = registered()
        mark = fingerprint(commands)
        application_id = self._client.application_id
        if self._listener.cursor.get("commands") == mark or application_id is None:
            return
        try:
            with translated():
                await self._client.http.bulk_upsert_global_commands(
                    application_id, cast("Any", commands)
                )
        except LoginLost:
            raise
        except (AgentError, discord.DiscordException, OSError) as error:
            logger.warning("the commands are not offered: %s", error)
            return
        self._listener.cursor["commands"] = mark
        await self._listener.store_cursor()

    def _threads_of(self, channel_id: int) -> list[discord.Thread]:
        return [
            thread
            for guild in self._client.guilds
            for thread in guild.threads
            if thread.parent_id == channel_id
        ]
