"""The same bot before a Discord that others wrote: SimCord judges intents, rights and answers."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import discord as library
import pytest
import simcord

from agentapp.cards.deciding import NOT_YOURS
from agentapp.cards.showing import CardFace
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.seen import Move
from bots.bridge import Bridge
from bots.discord import cards
from bots.discord.commands import Commands, registered
from bots.discord.gateway import Gateway
from bots.discord.intents import Reads
from bots.discord.parse import Viewer, parse_arrival, parse_departure, parse_message
from bots.discord.places import group_of, place_of
from tests.cast import Cast

Sim = Any  # the library's environment
Ask = Callable[[library.Interaction], Awaitable[None]]


class Ears:
    """Writes down what a bot hears, as our own shapes, and answers what is asked."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.answer: Ask | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def said(self, message: library.Message) -> None:
        place = place_of(message.channel)
        assert place is not None
        incoming = parse_message(message, viewer=Viewer(1, "1"), place=place)
        if incoming is not None:
            self.heard.append(f"{place.kind}: {incoming.text}")

    def came(self, member: library.Member) -> None:
        self._moved("came", parse_arrival(member))

    def went(self, guild_id: int, who: library.abc.User) -> None:
        guild: Any = SimpleNamespace(id=guild_id, name="a server")
        self._moved("went", parse_departure(guild, who))

    def _moved(self, what: str, move: Move | None) -> None:
        if move is not None:
            self.heard.append(f"{what}: {move.who.name}")

    def asked(self, interaction: library.Interaction) -> None:
        assert self.answer is not None
        self._tasks.add(asyncio.ensure_future(self.answer(interaction)))

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_: None


class Patient(Bridge):
    """Tells SimCord that a thread is at work while the database is asked."""

    sim: Sim = None

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        waiting = super().call(function, *args, **kwargs)
        return await self.sim.external_wait(waiting, reason="the database")


async def _begin() -> None:
    """Let a session begin."""


def bot(*, content: bool = True, members: bool = False) -> tuple[Gateway, Ears]:
    reads = Reads(content=content, members=members)
    client, ears = Gateway(reads=reads, begin=_begin, refused=lambda: None), Ears()
    client.ears = ears  # type: ignore[assignment]
    return client, ears


@pytest.mark.parametrize("content", [True, False])
def test_it_hears_what_its_intents_allow(content: bool) -> None:
    async def work() -> list[str]:
        client, ears = bot(content=content)
        async with simcord.run(client) as env:
            guild = env.create_guild()
            channel = guild.create_text_channel("tea")
            ann = guild.add_member(env.create_user("ann"))
            await ann.send(channel, "among ourselves")
            assert client.user is not None
            await ann.send(channel, f"<@{client.user.id}> tea?")
            await ann.send_dm("between us")
        return ears.heard

    heard = asyncio.run(work())
    assert ("room: among ourselves" in heard) == content
    assert [one.partition(": ")[2].endswith("tea?") for one in heard].count(True) == 1
    assert heard[-1] == "direct: between us"


@pytest.mark.parametrize("members", [True, False])
def test_it_sees_who_comes_and_goes_where_its_intents_allow(members: bool) -> None:
    async def work() -> list[str]:
        client, ears = bot(members=members)
        async with simcord.run(client) as env:
            guild = env.create_guild()
            await env.settle()
            ann = guild.add_member(env.create_user("ann"))
            await env.settle()
            guild.remove_member(ann)
            await env.settle()
        return ears.heard

    assert asyncio.run(work()) == (["came: ann", "went: ann"] if members else [])


def test_channels_that_are_closed_to_it_say_what_it_lacks() -> None:
    async def work() -> list[tuple[str, bool]]:
        client, _ = bot()
        async with simcord.run(client) as env:
            guild = env.create_guild()
            guild.create_text_channel("tea")
            no_words = library.PermissionOverwrite(send_messages=False)
            no_sight = library.PermissionOverwrite(view_channel=False)
            guild.create_text_channel("notices", overwrites={guild.default_role: no_words})
            guild.create_text_channel("staff", overwrites={guild.default_role: no_sight})
            await env.settle()
            doors = group_of(client.guilds[0]).doors
            return [(door.name, "Send Messages" in door.hindrance) for door in doors]

    assert sorted(asyncio.run(work())) == [("notices", True), ("tea", False)]


def test_commands_are_taken_and_answered_for_the_asker_alone(live_cast: Cast) -> None:
    account = HeldAccount(
        uuid.uuid4(), live_cast.workspace.pk, live_cast.ada.pk, "discord", "1", "Ada", 1
    )

    async def work() -> tuple[bool, str]:
        client, ears = bot()
        bridge = Patient()
        ears.answer = Commands(account=account, bridge=bridge).answer
        async with simcord.run(client) as env:
            bridge.sim = env
            guild = env.create_guild()
            channel = guild.create_text_channel("tea")
            ann = guild.add_member(env.create_user("ann"))
            assert client.application_id is not None
            await client.http.bulk_upsert_global_commands(client.application_id, registered())
            result = await ann.slash(channel, "help")
            assert result.response is not None
            answered = result.ephemeral, result.response.content
        bridge.close()
        return answered

    is_private, words = asyncio.run(work())
    assert is_private
    assert "/stop" in words


def test_a_card_is_pressed_by_somebody_who_may_not(live_cast: Cast) -> None:
    face = CardFace(
        *(1, uuid.uuid4(), "0", "k" * 22, "", "", False, 7, 1, "Ada", "tea", "message"),
        *("Shortbread.", "", 0, "Ann", "What goes with tea?", "Asked.", False, False, ""),
    )

    async def work() -> tuple[str, list[str]]:
        client, ears = bot()
        bridge = Patient()

        async def press(interaction: library.Interaction) -> None:
            await cards.press(interaction, bridge=bridge)

        ears.answer = press
        async with simcord.run(client) as env:
            bridge.sim = env
            guild = env.create_guild()
            olga = guild.add_member(env.create_user("olga"))
            shown = dataclasses.replace(face, external_id=str(olga.id))
            place, message = await cards.show(client, shown)
            card = await client.get_partial_messageable(int(place)).fetch_message(int(message))
            result = await olga.user.click(card, label="Send")
            said = [one.content for one in result.followups]
            content = card.content
        bridge.close()
        return content, said

    content, said = asyncio.run(work())
    assert "> Shortbread." in content
    assert said == [NOT_YOURS]
