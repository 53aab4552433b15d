"""Asks who is still in a server: who came or left while nobody listened, Discord tells nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

import aiohttp
import discord
from django.db import Error as DatabaseError

from agentapp.foundation.envelope import Author
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.queries import people_of
from agentapp.intake.seen import Move
from bots.bridge import Bridge
from bots.discord.book import Book
from bots.discord.gateway import Gateway
from bots.discord.listening import Listener
from bots.discord.parse import PLATFORM, parse_arrival

logger = logging.getLogger(__name__)

MOST = 1_000  # people of one server, those first who became known last
AT_ONCE = 100  # people; the most that Discord answers about


class RollCall:
    """One connection's look at who is there, after each gap.

    Attributes:
        due: There was a gap.
    """

    def __init__(
        self,
        *,
        account: HeldAccount,
        bridge: Bridge,
        client: Gateway,
        book: Book,
        listener: Listener,
    ) -> None:
        self.due = asyncio.Event()
        self._account = account
        self._bridge = bridge
        self._client = client
        self._book = book
        self._listener = listener

    async def keep_calling(self) -> None:
        """Call the roll after each gap, where the bot may know who comes and goes."""
        while True:
            await self.due.wait()
            self.due.clear()
            if not self._client.intents.members:
                continue
            for guild in self._client.guilds:
                if not guild.unavailable and self._book.reads_in(guild):
                    await self._tried(guild)

    async def _tried(self, guild: discord.Guild) -> None:
        try:
            await self._call(guild)
        except (
            *(DatabaseError, discord.DiscordException, aiohttp.ClientError),
            *(OSError, TimeoutError),
        ) as error:
            # What is not noticed now is after the next gap, or never; people are answered then.
            logger.warning("who is in a server is not known: %s", type(error).__name__)

    async def _call(self, guild: discord.Guild) -> None:
        asked = partial(
            people_of,
            workspace_id=self._account.workspace_id,
            platform=PLATFORM,
            group=str(guild.id),
            most=MOST,
        )
        known = {int(who): gone for who, gone in await self._bridge.call(asked) if who.isdigit()}
        ids = list(known)
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            found = await guild.query_members(user_ids=some, limit=AT_ONCE, cache=False)
            self._note(guild, {one: known[one] for one in some}, found)

    def _note(
        self, guild: discord.Guild, known: dict[int, bool], found: Sequence[discord.Member]
    ) -> None:
        here = {member.id: member for member in found}
        for who, is_gone in known.items():
            if is_gone and who in here:
                self._listener.moved(guild, parse_arrival(here[who]))
            elif not is_gone and who not in here:
                nameless = Author(str(who), "")
                self._listener.moved(guild, Move(str(guild.id), guild.name, nameless, is_in=False))
