"""Finds threads that were archived while nobody listened: sessions list only open ones."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import datetime

import discord

from bots.connector import SendRefused
from bots.discord.book import Book, Mark
from bots.discord.errors import LoginLost, translated
from bots.discord.gateway import Gateway
from bots.discord.places import Listed, place_of

logger = logging.getLogger(__name__)

MOST = 200  # threads of one channel that are looked through, the last archived first


class Archive:
    """What one connection found in the archives of its channels.

    Attributes:
        found: Threads that were archived in a gap, by id.
        new: Those of all threads that were not known before and have to be read first: how far
            their channel is read says where they begin.
    """

    def __init__(self, *, client: Gateway, book: Book) -> None:
        self.found: dict[int, discord.Thread] = {}
        self.new: set[int] = set()
        self._client = client
        self._book = book
        self._closed: set[int] = set()

    def waits(self, channel_id: int, mark: Mark) -> bool:
        """Say whether a channel's archive has to be looked through before the channel is read."""
        channel = self._client.get_channel(channel_id)
        if not isinstance(channel, Listed) or mark.read_to == 0:
            return False
        is_open = channel.permissions_for(channel.guild.me).read_message_history
        return mark.is_behind and mark.has_archive and is_open and channel_id not in self._closed

    async def look_through(self, channel_id: int, mark: Mark) -> bool:
        """Find what was archived since a channel's mark; once for each time it fell behind.

        Returns:
            False if Discord refused; it is not asked again for this channel.

        Raises:
            Exception: Something passing; it may be tried again.
        """
        channel = self._client.get_channel(channel_id)
        if not isinstance(channel, Listed):
            return True
        since = discord.utils.snowflake_time(mark.read_to)
        is_allowed = await self._take(channel, mark, _public(channel, since))
        if is_allowed and isinstance(channel, discord.TextChannel):
            await self._take(channel, mark, _private(channel, since))
        mark.has_archive = False
        if not is_allowed:
            self._closed.add(channel_id)
        return is_allowed

    async def _take(
        self, channel: Listed, mark: Mark, threads: AsyncIterator[discord.Thread]
    ) -> bool:
        try:
            with translated():
                async for thread in threads:
                    self._note(channel.id, mark, thread)
        except LoginLost:
            raise
        except SendRefused as error:
            logger.warning("archived threads of a channel stay unseen: %s", error.message)
            return False
        return True

    def _note(self, channel_id: int, parent: Mark, thread: discord.Thread) -> None:
        self.found[thread.id] = thread
        place = place_of(thread)
        if place is None or thread.id in self._book.marks:
            return
        mark = self._book.mark_of(thread, place)
        mark.is_behind = True
        if mark.read_to == 0:
            # It was there before the gap, without a word since the agent came in.
            mark.read_to = max(parent.read_to, parent.since)
        self.new.add(thread.id)


async def _public(channel: Listed, since: datetime) -> AsyncIterator[discord.Thread]:
    """Go back through a channel's archive as far as a moment, the last archived first."""
    async for thread in channel.archived_threads(limit=MOST):
        if thread.archive_timestamp <= since:
            return
        yield thread


async def _private(channel: discord.TextChannel, since: datetime) -> AsyncIterator[discord.Thread]:
    """Go through the private threads that the bot was let into; these come by their age."""
    async for thread in channel.archived_threads(private=True, joined=True, limit=MOST // 2):
        if thread.archive_timestamp > since:
            yield thread
