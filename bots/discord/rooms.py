"""Keeps the list of rooms that a bot is shown, and notices those that are out of reach."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

import discord
from django.db import Error as DatabaseError

from agentapp.identity.services.leases import HeldAccount
from agentapp.presence import doorways
from bots.bridge import Bridge
from bots.discord.book import Book
from bots.discord.gateway import Gateway
from bots.discord.listening import Listener, reachable
from bots.discord.places import group_of

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 0.3  # after a server's change, for those that follow it


class RoomList:
    """One connection's list.

    Attributes:
        is_complete: A session told of every server that there is.
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
        self.is_complete = False
        self._account = account
        self._bridge = bridge
        self._client = client
        self._book = book
        self._listener = listener
        self._renewed: dict[int, discord.Guild] = {}
        self._renewal = asyncio.Event()

    def renewed(self, guilds: Iterable[discord.Guild]) -> None:
        """Have the list written anew, with these servers as they are once they have settled."""
        self._renewed.update({guild.id: guild for guild in guilds})
        self._renewal.set()

    async def keep(self) -> None:
        """Write down which rooms there are, and notice those that are out of reach."""
        while True:
            await self._renewal.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            self._renewal.clear()
            guilds, self._renewed = self._renewed, {}
            try:
                await self._write_list(list(guilds.values()))
            except DatabaseError as error:
                logger.warning("the list of rooms waits: %s", type(error).__name__)
                self._renewed = {**guilds, **self._renewed}
                self._renewal.set()

    async def _write_list(self, guilds: list[discord.Guild]) -> None:
        who = {"account_id": self._account.account_id, "fence": self._account.fence}
        for guild in guilds:
            if not guild.unavailable and self._client.get_guild(guild.id) is not None:
                await self._call(doorways.show_group, **who, group=group_of(guild))
        kept = [str(guild.id) for guild in self._client.guilds]
        if self.is_complete:
            await self._call(doorways.show_groups, **who, kept=kept)
            self._miss()

    def _miss(self) -> None:
        """Note which channels are out of reach. Sessions do not list the other places."""
        for channel_id, mark in list(self._book.marks.items()):
            if mark.kind == "room" and not reachable(self._client, channel_id):
                self._listener.lost(channel_id, "It can no longer see that channel.")

    async def _call(self, function: Any, **fields: object) -> None:  # noqa: ANN401
        await self._bridge.call(partial(function, **fields))
