"""Brings what a bot hears onto the record: in its order, in batches, with how far it has read.

What was heard stays here until it is stored; what was never heard is fetched, because no session
begins where the one before it ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import discord
from django.db import Error as DatabaseError

from agentapp.commands.services import carry_out
from agentapp.commands.shapes import Call
from agentapp.foundation import faults
from agentapp.foundation.envelope import Place
from agentapp.identity.services.leases import HeldAccount
from agentapp.identity.services.opening import open_login
from agentapp.intake import queries
from agentapp.intake.batches import accept_batch
from agentapp.intake.seen import Batch, Left, Move, Remark, RoomNews
from bots.bridge import Bridge
from bots.discord.book import MOST_WAITING, Book, Heard, Mark
from bots.discord.gateway import Gateway
from bots.discord.parse import (
    PLATFORM,
    Viewer,
    parse_deletion,
    parse_edit,
    parse_message,
    parse_reaction,
)
from bots.discord.places import may_see, place_of
from bots.discord.typed import typed_call

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 50  # things heard that are stored together
FIRST_WAIT, LAST_WAIT = 0.2, 5.0  # seconds between two attempts to store


class Listener:
    """One connection's way in.

    Args:
        book: Shared with what fetches and what sends.
    """

    def __init__(
        self, *, account: HeldAccount, bridge: Bridge, client: Gateway, book: Book
    ) -> None:
        self.overflowed = False
        self.cursor: dict[str, object] = {}
        self._account = account
        self._bridge = bridge
        self._client = client
        self._book = book
        self._viewer = Viewer(account.workspace_id, account.external_id)
        self._waiting: asyncio.Queue[Heard] = asyncio.Queue()
        self._storing = asyncio.Lock()

    async def load(self) -> None:
        """Read from the record which places are read, and how far."""
        stored = await self._bridge.call(open_login, account_id=self._account.account_id)
        self.cursor = dict(stored.cursor)
        asked = partial(
            queries.read_marks,
            agent_id=self._account.agent_id,
            account_id=self._account.account_id,
        )
        for one in await self._bridge.call(asked):
            if one.external_id.isdigit():
                self._book.marks[int(one.external_id)] = Mark(
                    int(one.read_to) if one.read_to.isdigit() else 0,
                    since=discord.utils.time_snowflake(one.joined_at),
                    kind=one.kind,
                    name=one.name,
                )

    def said(self, message: discord.Message) -> None:
        """Hear a message."""
        if message.author.id == int(self._viewer.user_id) and message.nonce is not None:
            self.note_sent(str(message.nonce), message.id)
        place = self._place(message) if self._book.reads(message.channel) else None
        if place is None:
            return
        heard = self.understood(message, place)
        mark = self._book.mark_of(message.channel, place)
        if not mark.is_behind:
            self._put(heard)
        elif len(mark.held) < MOST_WAITING:
            mark.held.append(heard)
        else:
            self.overflowed = True

    def understood(self, message: discord.Message, place: Place) -> Heard:
        """Return what a message is: something said, or a command, which nobody answers in words."""
        said = parse_message(message, viewer=self._viewer, place=place)
        if said is None:
            return Heard(place, newest=message.id)
        name = self._client.user.name if self._client.user else ""
        call = typed_call(message, said, account=self._account, bot_name=name)
        return Heard(place, (Remark(said) if call else said,), newest=message.id, call=call)

    def _place(self, message: discord.Message) -> Place | None:
        place = place_of(message.channel)
        is_own = str(message.author.id) == self._viewer.user_id
        if place is None or place.kind != "direct" or is_own:
            return place
        # A direct room is called after whoever writes there; Discord gives it no name.
        return replace(place, name=message.author.display_name)

    def changed(self, message: discord.Message) -> None:
        """Hear a message's new words."""
        place = place_of(message.channel) if self._book.reads(message.channel) else None
        edit = parse_edit(message, viewer=self._viewer, place=place) if place else None
        if place is not None and edit is not None:
            self._put(Heard(place, (edit,)))

    def deleted(self, channel_id: int, message_ids: list[int]) -> None:
        """Hear that messages are gone."""
        if channel_id in self._book.marks:
            place = Place(str(channel_id))
            gone = [parse_deletion(one, viewer=self._viewer, place=place) for one in message_ids]
            self._put(Heard(place, tuple(gone)))

    def reacted(self, payload: discord.RawReactionActionEvent) -> None:
        """Hear of an emoji."""
        if payload.channel_id in self._book.marks:
            place = Place(str(payload.channel_id))
            reaction = parse_reaction(payload, viewer=self._viewer, place=place)
            self._put(Heard(place, (reaction,)))

    def lost(self, channel_id: int, reason: str) -> None:
        """Hear that a place is out of reach."""
        if self._book.marks.pop(channel_id, None) is not None:
            self._put(Heard(Place(str(channel_id)), left=reason))

    def moved(self, guild: discord.Guild, move: Move | None) -> None:
        """Hear that somebody came or left; where it reads no channel, that is not its business."""
        if move is not None and self._book.reads_in(guild):
            self._put(Heard(Place(move.group), move=move))

    def caught_up(self, mark: Mark) -> None:
        """Let through what was held and was not read meanwhile; from here on all is heard."""
        mark.is_behind = False
        held, mark.held = mark.held, []
        for one in held:
            if one.newest > mark.read_to:
                self._put(one)

    def note_sent(self, key: str, message_id: int) -> None:
        """Keep under which id something sent stands; of the oldest nothing is kept."""
        self._book.sent[key] = message_id
        if len(self._book.sent) > MOST_WAITING:
            self._book.sent.pop(next(iter(self._book.sent)))

    async def store_all(self) -> None:
        """Store what is heard, until cancelled.

        Raises:
            LeaseLost: Another process runs this login by now.
        """
        while True:
            heard = [await self._waiting.get()]
            while len(heard) < MOST_AT_ONCE and not self._waiting.empty():
                heard.append(self._waiting.get_nowait())
            await self._persist(heard)

    async def store(self, news: RoomNews, calls: Iterable[Call] = ()) -> None:
        """Store what was fetched from one place."""
        async with self._storing:
            await self._carry_out(calls)
            await self._accept((news,))

    async def _carry_out(self, calls: Iterable[Call]) -> None:
        # A command is carried out once; were the batch first, a crash between would lose it.
        for call in calls:
            await self._bridge.call(carry_out, call)

    async def store_cursor(self) -> None:
        """Store what is kept with the login beside the marks of its places."""
        async with self._storing:
            await self._accept()

    async def _persist(self, heard: list[Heard]) -> None:
        """Store what was heard; while the database is away, it waits here."""
        wait = FIRST_WAIT
        while not await self._persisted(heard):
            await asyncio.sleep(wait)
            wait = min(wait * 2, LAST_WAIT)

    async def _persisted(self, heard: list[Heard]) -> bool:
        try:
            async with self._storing:
                rooms = tuple(self._news(heard))
                left = tuple(Left(one.place, True, one.left) for one in heard if one.left)
                moves = tuple(one.move for one in heard if one.move)
                await self._carry_out(one.call for one in heard if one.call)
                await self._accept(rooms, left, moves)
                for news in rooms:
                    if news.read_to:
                        self._book.marks[int(news.place.external_id)].read_to = int(news.read_to)
        except DatabaseError as error:
            logger.warning("what was heard waits: %s", type(error).__name__)
            return False
        return True

    def _news(self, heard: Iterable[Heard]) -> Iterable[RoomNews]:
        """Return what was heard by place, each in its order."""
        by_place: dict[str, list[Heard]] = {}
        for one in heard:
            if not one.left and one.move is None:
                by_place.setdefault(one.place.external_id, []).append(one)
        for external_id, some in by_place.items():
            mark = self._book.marks.get(int(external_id))
            newest = max(one.newest for one in some)
            named = next((one.place for one in reversed(some) if one.place.name), some[-1].place)
            moves = mark is not None and not mark.is_behind and newest > mark.read_to
            items = tuple(item for one in some for item in one.items)
            yield RoomNews(named, items, read_to=str(newest) if moves else "")

    async def _accept(
        self,
        rooms: tuple[RoomNews, ...] = (),
        left: tuple[Left, ...] = (),
        moves: tuple[Move, ...] = (),
    ) -> None:
        batch = Batch(
            account_id=self._account.account_id,
            fence=self._account.fence,
            workspace_id=self._account.workspace_id,
            agent_id=self._account.agent_id,
            platform=PLATFORM,
            cursor=self.cursor,
            rooms=rooms,
            left=left,
            moves=moves,
        )
        await self._bridge.call(accept_batch, batch)
        faults.passing("batch.committed")

    def _put(self, heard: Heard) -> None:
        if self._waiting.qsize() >= MOST_WAITING:
            self.overflowed = True  # fetched again, once the database takes what is here
            self._book.all_behind()
            return
        self._waiting.put_nowait(heard)


def reachable(client: Gateway, channel_id: int) -> bool:
    """Say whether a channel is still there for the bot; a server that is away keeps its own."""
    channel = client.get_channel(channel_id)
    if isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return may_see(channel)
    return channel is not None or any(guild.unavailable for guild in client.guilds)
