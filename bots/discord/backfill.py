"""Fetches what was said while nobody listened: in each place from where the record stands."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable
from datetime import timedelta

import aiohttp
import discord
from django.db import Error as DatabaseError

from agentapp.foundation import clock
from agentapp.foundation.envelope import Place
from agentapp.foundation.errors import AgentError
from agentapp.intake.batches import LeaseLost
from agentapp.intake.seen import RoomNews
from bots.bridge import Bridge
from bots.connector import SendRefused
from bots.discord.archive import Archive
from bots.discord.book import Book, Mark
from bots.discord.errors import LoginLost, translated
from bots.discord.gateway import Gateway
from bots.discord.listening import Listener
from bots.discord.places import place_of

logger = logging.getLogger(__name__)

PAGE = 100  # messages; the most that Discord gives at once
PAGES = 20  # of one place; what is older is noted as missing
LONGEST_UNARCHIVED = timedelta(days=8)
AT_ONCE = 4  # logins of a process that fetch

_gates: weakref.WeakKeyDictionary[Bridge, asyncio.Semaphore] = weakref.WeakKeyDictionary()


class Backfill:
    """One connection's reading up."""

    def __init__(
        self,
        *,
        bridge: Bridge,
        client: Gateway,
        book: Book,
        listener: Listener,
    ) -> None:
        self._bridge = bridge
        self._client = client
        self._book = book
        self._listener = listener
        self._archive = Archive(client=client, book=book)

    async def catch_up(self) -> bool:
        """Read every place up to its newest message: first new threads, then the liveliest.

        Returns:
            Whether all were read. One that could not be stays behind; the next time goes on there.

        Raises:
            LoginLost, LeaseLost: Nothing more can be read with this login, or by this process.
        """
        self._find_threads()
        async with _gates.setdefault(self._bridge, asyncio.Semaphore(AT_ONCE)):
            kept = await self._look_through_archives()
            for channel_id in sorted(self._book.marks, key=self._rank, reverse=True):
                mark = self._book.marks.get(channel_id)
                if mark is None or channel_id in kept:
                    continue
                if await self._tried(self._read_up(channel_id, mark)):
                    self._archive.new.discard(channel_id)
                else:
                    kept |= {channel_id, self._parent_of(channel_id)}
        return not kept

    async def _look_through_archives(self) -> set[int]:
        """Find threads that were archived meanwhile; return where that has to be tried again."""
        failed = set()
        for channel_id, mark in list(self._book.marks.items()):
            if self._archive.waits(channel_id, mark):
                is_done = await self._tried(self._look_through(channel_id, mark))
                failed |= set() if is_done else {channel_id}
        return failed

    async def _look_through(self, channel_id: int, mark: Mark) -> None:
        if not await self._archive.look_through(channel_id, mark):
            gap = RoomNews(self._place(channel_id, mark), gap="archived threads")
            await self._listener.store(gap)

    def _rank(self, channel_id: int) -> tuple[bool, int]:
        return channel_id in self._archive.new, self._newest_known(channel_id)

    def _parent_of(self, channel_id: int) -> int:
        """Return what is not read before a new thread of it is; 0 for nothing."""
        parent = getattr(self._channel(channel_id), "parent_id", None)
        return parent or 0 if channel_id in self._archive.new else 0

    def _channel(self, channel_id: int) -> object:
        return self._client.get_channel(channel_id) or self._archive.found.get(channel_id)

    def _newest_known(self, channel_id: int) -> int:
        return newest_of(self._channel(channel_id))

    async def _tried(self, work: Awaitable[None]) -> bool:
        """Do one thing; what passes must not keep the other places unread."""
        try:
            await work
        except (LoginLost, LeaseLost):
            raise
        except (
            *(DatabaseError, AgentError, discord.DiscordException),
            *(aiohttp.ClientError, OSError, TimeoutError),
        ) as error:
            logger.warning("reading up a room is put off: %s", type(error).__name__)
            return False
        return True

    def _find_threads(self) -> None:
        """Take in the threads of places that are read; what began meanwhile is read whole."""
        for guild in self._client.guilds:
            for thread in guild.threads:
                place = place_of(thread) if thread.parent_id in self._book.marks else None
                if place is not None and thread.id not in self._book.marks:
                    self._book.mark_of(thread, place).is_behind = True
                    self._archive.new.add(thread.id)

    async def _read_up(self, channel_id: int, mark: Mark) -> None:
        """Read one place up, or note that it cannot be."""
        try:
            with translated():
                await self._read(channel_id, mark)
        except LoginLost:
            raise
        except SendRefused as error:
            # Asking again would be refused again, and Discord counts that.
            logger.warning("what was missed in a room stays unread: %s", error.message)
            await self._skip(channel_id, mark)
            self._listener.caught_up(mark)

    async def _read(self, channel_id: int, mark: Mark) -> None:
        known = self._newest_known(channel_id)
        if self._channel(channel_id) is None and not await self._is_unlisted(mark):
            return  # its server is away, or it is gone: then others see to it
        if mark.read_to == 0:
            await self._begin(channel_id, mark, known)
        elif known == 0 or known > mark.read_to:
            await self._read_pages(channel_id, mark)
        self._listener.caught_up(mark)

    async def _is_unlisted(self, mark: Mark) -> bool:
        """Say whether a session lists such a place at all: direct rooms and old threads are not.

        A thread is archived after a week at most, so an older mark has nothing behind it.
        """
        if mark.kind == "direct":
            return True
        age = await self._bridge.call(clock.now) - discord.utils.snowflake_time(mark.read_to)
        return mark.kind == "thread" and age < LONGEST_UNARCHIVED

    async def _begin(self, channel_id: int, mark: Mark, known: int) -> None:
        """Start reading here: what was said before is none of its business."""
        newest = known or await self._newest_said(channel_id)
        if mark.held:
            newest = min(newest, mark.held[0].newest - 1)
        since = await self._bridge.call(clock.now)
        await self._listener.store(
            RoomNews(self._place(channel_id, mark), since=since, read_to=str(newest))
        )
        mark.read_to = max(mark.read_to, newest)

    async def _newest_said(self, channel_id: int) -> int:
        """Ask for the newest message, where no session told of it; an empty place has its own id.

        Marks are Discord's ids and never made from a clock: one that is ahead would have all that
        is said until it is caught up with count as read.
        """
        where = self._client.get_partial_messageable(channel_id)
        async for message in where.history(limit=1):
            return message.id
        return channel_id

    async def _read_pages(self, channel_id: int, mark: Mark) -> None:
        found = self._channel(channel_id)
        if isinstance(found, discord.ForumChannel):
            return  # it holds threads, and no words of its own
        if not _may_look_back(found):
            # Discord would answer with an empty page, as if nothing had been said.
            await self._skip(channel_id, mark)
            return
        where = (
            found
            if isinstance(found, discord.abc.Messageable)
            else self._client.get_partial_messageable(channel_id)
        )
        for _ in range(PAGES):
            page = [
                message
                async for message in where.history(
                    limit=PAGE, after=discord.Object(mark.read_to), oldest_first=True
                )
            ]
            if page:
                await self._store_page(channel_id, mark, page)
            if len(page) < PAGE:
                return
        await self._skip(channel_id, mark, await self._newest_said(channel_id))

    async def _store_page(self, channel_id: int, mark: Mark, page: list[discord.Message]) -> None:
        place = self._place(channel_id, mark)
        heard = [self._listener.understood(one, place) for one in page]
        newest = page[-1].id
        items = tuple(item for one in heard for item in one.items)
        calls = [one.call for one in heard if one.call]
        await self._listener.store(RoomNews(place, items, read_to=str(newest)), calls)
        mark.read_to = max(mark.read_to, newest)

    async def _skip(self, channel_id: int, mark: Mark, newest: int = 0) -> None:
        """Go on with what is said now; the gap is noted."""
        newest = newest or self._newest_known(channel_id) or channel_id
        if mark.held:
            newest = min(newest, mark.held[0].newest - 1)
        newest = max(newest, mark.read_to)
        gap = f"{mark.read_to} to {newest}"
        logger.warning("a gap in a room stays one")
        await self._listener.store(
            RoomNews(self._place(channel_id, mark), gap=gap, read_to=str(newest))
        )
        mark.read_to = newest

    def _place(self, channel_id: int, mark: Mark) -> Place:
        found = place_of(self._channel(channel_id))
        return found or Place(str(channel_id), kind=mark.kind)


def newest_of(channel: object) -> int:
    """Return the newest message of a place that sessions told of; 0 where none did."""
    return int(getattr(channel, "last_message_id", None) or 0)


def _may_look_back(channel: object) -> bool:
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return True
    return channel.permissions_for(channel.guild.me).read_message_history
