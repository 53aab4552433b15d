"""The fake's REST API limits and breaks, and discord.py does with it what it does with Discord."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import discord as library
import pytest

from tests.fakes.discord import GLOBAL, Bot, Discord, Fault, Place, Shown
from tests.fakes.discord.guest import Guest

SEND = "POST /channels/{channel}/messages"


@pytest.fixture
def bot(discord: Discord) -> Bot:
    return discord.bot("reed")


@pytest.fixture
def lobby(discord: Discord, bot: Bot) -> Place:
    return discord.guild("Pond", bot).channel("lobby")


@pytest.mark.parametrize("which", [SEND, GLOBAL])
def test_a_429_is_waited_for(discord: Discord, bot: Bot, lobby: Place, which: str) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        discord.rate_limit(which, 0.2)
        began = time.monotonic()
        guest.does(guest.channel(lobby.id).send("patience"))
        assert time.monotonic() - began >= 0.2
    assert discord.answers(SEND) == [429, 200]
    assert lobby.shows() == [Shown("reed", "patience")]


def test_a_bucket_that_is_empty_is_not_asked(discord: Discord, bot: Bot, lobby: Place) -> None:
    discord.allow(SEND, 2, 0.15)
    with Guest(bot.token) as guest:
        guest.ready()
        for number in range(5):
            guest.does(guest.channel(lobby.id).send(str(number)))
    assert [one.text for one in lobby.shows()] == ["0", "1", "2", "3", "4"]
    assert 429 not in discord.answers(SEND)


def test_one_limit_is_over_everything_a_bot_asks(discord: Discord, bot: Bot, lobby: Place) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        discord.allow_over_all(1)
        guest.does(guest.client.fetch_channel(lobby.id))
        guest.does(guest.client.fetch_user(bot.id))
    assert 429 in discord.answers("GET /users/{user}")


def test_a_503_is_told_at_once(discord: Discord, bot: Bot, lobby: Place) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        discord.fails(SEND, status=503)
        with pytest.raises(library.DiscordServerError):
            guest.does(guest.channel(lobby.id).send("hello"))
        guest.does(guest.channel(lobby.id).send("again"))
    assert lobby.shows() == [Shown("reed", "again")]


@pytest.mark.parametrize("fault", [Fault.CUT_AFTER, Fault.CUT_AMID])
def test_a_lost_answer_leaves_the_message_and_its_nonce(
    discord: Discord, bot: Bot, lobby: Place, fault: Fault
) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        discord.cuts(SEND, fault)
        with pytest.raises((aiohttp.ClientError, OSError)):
            guest.does(guest.channel(lobby.id).send("once", nonce="n1"))
        assert lobby.shows() == [Shown("reed", "once")]
        guest.does(guest.channel(lobby.id).send("once", nonce="n1"))
    assert lobby.shows() == [Shown("reed", "once")]
    assert discord.messages_created == 1


def test_a_lost_request_leaves_nothing(discord: Discord, bot: Bot, lobby: Place) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        discord.cuts(SEND, Fault.CUT_BEFORE)
        with pytest.raises((aiohttp.ClientError, OSError)):
            guest.does(guest.channel(lobby.id).send("never"))
    assert lobby.shows() == []


def test_a_hanging_request_ends_with_the_server(bot: Bot, discord: Discord, lobby: Place) -> None:
    discord.hangs("GET /channels/{channel}")
    with Guest(bot.token) as guest:
        guest.ready()
        with pytest.raises(TimeoutError):
            guest.does(asyncio.wait_for(guest.client.fetch_channel(lobby.id), 0.05))


def test_an_outage_loses_no_session(discord: Discord, bot: Bot, lobby: Place) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        with discord.outage():
            with pytest.raises(library.DiscordServerError):
                guest.does(guest.channel(lobby.id).send("anybody?"))
            assert discord.connections == 0
        guest.hears("resumed")
        guest.does(guest.channel(lobby.id).send("back"))
    assert lobby.shows() == [Shown("reed", "back")]
    assert bot.identifies == 1
