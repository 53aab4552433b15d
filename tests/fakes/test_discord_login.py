"""Logging in to the fake with discord.py: tokens, intents, compression, READY."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import discord as library
import pytest
from discord import utils

from tests.fakes.discord import Discord
from tests.fakes.discord.guest import INTENTS, Guest
from tests.fakes.discord.intents import MESSAGE_CONTENT


def test_a_bot_finds_its_guilds_and_their_places(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond, _sea = discord.guild("Pond", bot), discord.guild("Sea")
    lobby = pond.channel("lobby")
    talk = pond.member("anna").opens_thread(lobby, "talk")
    with Guest(bot.token) as guest:
        client = guest.ready().client
        assert client.user
        assert client.user.id == bot.id
        assert [one.name for one in client.guilds] == ["Pond"]
        assert [one.name for one in client.guilds[0].text_channels] == ["lobby"]
        assert client.guilds[0].get_thread(talk.id) is not None
    assert bot.identifies == 1


def test_a_wrong_token_is_refused(discord: Discord) -> None:
    with Guest("not-a-token") as guest:
        assert isinstance(guest.fails_with(), library.LoginFailure)
    assert discord.answers("GET /users/@me") == [401]
    assert discord.heard["identify"] == 0


def test_a_token_that_is_reset_closes_what_is_open(discord: Discord) -> None:
    bot = discord.bot("reed")
    with Guest(bot.token) as guest:
        guest.ready()
        bot.loses_its_token()
        error = guest.fails_with()
    assert isinstance(error, library.ConnectionClosed)
    assert error.code == 4004


def test_an_intent_that_is_switched_off_is_refused(discord: Discord) -> None:
    bot = discord.bot("reed", privileged=0)
    with Guest(bot.token) as guest:
        assert isinstance(guest.fails_with(), library.PrivilegedIntentsRequired)


def test_the_application_says_which_intents_are_on(discord: Discord) -> None:
    bot = discord.bot("reed", privileged=MESSAGE_CONTENT)
    with Guest(bot.token) as guest:
        flags = guest.ready().client.application_flags
        told = guest.does(guest.client.application_info())
    assert flags.gateway_message_content_limited
    assert not flags.gateway_guild_members_limited
    assert told.owner.name == "reed-owner"


def utils_without_zstandard(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the library's module as it is where that package is missing."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    spec = spec_from_file_location("discord.utils_without_zstandard", utils.__file__)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("transport", ["zstd-stream", "zlib-stream"])
def test_messages_arrive_through_both_compressions(
    discord: Discord, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if transport == "zlib-stream":
        unpacker = utils_without_zstandard(monkeypatch)._ActiveDecompressionContext
        monkeypatch.setattr(utils, "_ActiveDecompressionContext", unpacker)
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna = pond.channel("lobby"), pond.member("anna")
    long = "ä😀" * 500
    with Guest(bot.token) as guest:
        guest.ready()
        anna.says(lobby, "one")
        anna.says(lobby, long)
        anna.says(lobby, "three")
        guest.hears("message", lambda said: said.content == "three")
        assert guest.texts() == ["one", long, "three"]
    assert discord.transports == {transport: 1}


def test_members_are_sent_when_they_are_asked_for(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    anna = pond.member("anna")
    with Guest(bot.token) as guest:
        guild = guest.ready().client.guilds[0]
        found = guest.does(guild.query_members(user_ids=[anna.id]))
        assert [one.name for one in found] == ["anna"]
    everybody = library.Intents(INTENTS.value)
    everybody.members = True
    with Guest(bot.token, intents=everybody) as guest:
        guild = guest.ready().client.guilds[0]
        assert {one.name for one in guild.members} == {"pond-owner", "reed", "anna"}
        pond.member("bert")
        assert guest.hears("member_join").name == "bert"


def test_one_identify_too_many_costs_the_token(discord: Discord) -> None:
    bot = discord.bot("reed")
    token = bot.token
    discord.leave_identifies(bot, 1)
    with Guest(token) as guest:
        guest.ready()
    with Guest(token) as guest:
        assert isinstance(guest.fails_with(), library.ConnectionClosed)
    assert bot.token != token


def test_what_is_left_of_the_day_is_told(discord: Discord) -> None:
    bot = discord.bot("reed")
    discord.leave_identifies(bot, 7)
    with Guest(bot.token) as guest:
        guest.ready()
        _, url, limits = guest.does(guest.client.http.get_bot_gateway())
    assert url == discord.gateway_url
    assert limits["remaining"] == 6
