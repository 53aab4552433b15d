"""The fake's gateway breaks in all the ways of the real one, and discord.py gets over each."""

from __future__ import annotations

import discord as library
import pytest

from tests.fakes.discord import Bot, Discord, Person, Place
from tests.fakes.discord.guest import Guest


@pytest.fixture
def bot(discord: Discord) -> Bot:
    return discord.bot("reed")


@pytest.fixture
def lobby(discord: Discord, bot: Bot) -> Place:
    return discord.guild("Pond", bot).channel("lobby")


@pytest.fixture
def anna(discord: Discord, bot: Bot, lobby: Place) -> Person:
    anna = discord.person("anna")
    discord.do(lobby.stage.world.join, lobby.it.guild, anna.user)
    return anna


def hears_all(guest: Guest, count: int) -> list[str]:
    """Return what was heard once the last of so many numbered messages has come."""
    guest.hears("message", lambda said: said.content == str(count - 1))
    return guest.texts()


def says_around_a_cut(discord: Discord, lobby: Place, anna: Person) -> None:
    """Say ten things: while connected, while cut off, and after."""
    for number in range(3):
        anna.says(lobby, str(number))
    with discord.go_away():
        for number in range(3, 7):
            anna.says(lobby, str(number))
    for number in range(7, 10):
        anna.says(lobby, str(number))


def test_after_a_cut_nothing_is_missed_and_nothing_doubled(
    discord: Discord, bot: Bot, lobby: Place, anna: Person
) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        says_around_a_cut(discord, lobby, anna)
        assert hears_all(guest, 10) == [str(number) for number in range(10)]
        guest.hears("resumed")
    assert bot.identifies == 1
    assert discord.heard["resume"] == 1


def test_many_cuts_are_got_over(discord: Discord, bot: Bot, lobby: Place, anna: Person) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        for number in range(20):
            discord.until(lambda: discord.connections)
            discord.drop_gateway()
            anna.says(lobby, str(number))
        assert hears_all(guest, 20) == [str(number) for number in range(20)]
    assert bot.identifies == 1


@pytest.mark.parametrize("how", ["asked", "code 4000", "invalid but resumable"])
def test_a_session_that_stays_is_resumed(
    discord: Discord, bot: Bot, lobby: Place, anna: Person, how: str
) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        if how == "asked":
            discord.ask_to_reconnect()
        elif how == "code 4000":
            discord.close_gateway(4000)
        else:
            discord.invalidate_session(resumable=True)
        anna.says(lobby, "0")
        guest.hears("resumed")
        assert hears_all(guest, 1) == ["0"]
    assert bot.identifies == 1


def test_an_invalid_session_is_begun_anew(
    discord: Discord, bot: Bot, lobby: Place, anna: Person
) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        discord.invalidate_session()
        discord.until(lambda: bot.identifies == 2 and discord.connections)
        anna.says(lobby, "0")
        assert hears_all(guest, 1) == ["0"]
    assert discord.heard["resume"] == 0


def test_a_gap_is_never_replayed(discord: Discord, bot: Bot, lobby: Place, anna: Person) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        with discord.gap():
            anna.says(lobby, "unheard")
        discord.until(lambda: bot.identifies == 2 and discord.connections)
        anna.says(lobby, "0")
        assert hears_all(guest, 1) == ["0"]
    assert discord.heard["resume"] == 1
    assert [one.text for one in lobby.shows()] == ["unheard", "0"]


def test_a_connection_without_acks_is_given_up_and_resumed(
    discord: Discord, bot: Bot, lobby: Place, anna: Person
) -> None:
    discord.beat_every(0.05)
    with Guest(bot.token, heartbeat_timeout=0.2) as guest:
        guest.ready()
        discord.until(lambda: discord.heard["heartbeat"] >= 3)
        discord.withhold_acks()
        discord.until(lambda: discord.heard["resume"] == 1)
        discord.withhold_acks(withheld=False)
        anna.says(lobby, "0")
        assert hears_all(guest, 1) == ["0"]


def test_closing_for_good_ends_the_session(discord: Discord, bot: Bot) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
    with Guest(bot.token) as guest:
        guest.ready()
    assert bot.identifies == 2
    discord.until(lambda: discord.connections == 0)  # who hung up may know a moment earlier


def test_an_event_that_nobody_understands_ends_the_client(discord: Discord, bot: Bot) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        discord.sends("MESSAGE_CREATE", {"id": "1"}, bot)
        assert isinstance(guest.fails_with(), KeyError)
        # It looks well all the same: whoever trusts the socket takes it for alive.
        assert discord.connections == 1


def test_shards_have_their_own_guilds(discord: Discord, bot: Bot) -> None:
    names = {f"Guild {number}" for number in range(6)}
    for name in names:
        discord.guild(name, bot)
    seen: set[str] = set()
    for shard in (0, 1):
        with Guest(bot.token, shard_id=shard, shard_count=2) as guest:
            here = {one.name for one in guest.ready().client.guilds}
            assert not here & seen
            seen |= here
    assert seen == names


def test_a_final_code_ends_the_client(discord: Discord, bot: Bot) -> None:
    with Guest(bot.token) as guest:
        guest.ready()
        discord.close_gateway(4012)
        error = guest.fails_with()
    assert isinstance(error, library.ConnectionClosed)
    assert error.code == 4012
