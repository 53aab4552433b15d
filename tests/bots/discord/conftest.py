"""The Discord of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from agentapp.identity.models import Account
from bots.discord import connection, gateway, rooms
from tests.bots.discord.world import login_agent
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Guild, Person, Place
from tests.fakes.discord.contract import contract
from tests.fakes.discord.pointing import pointed_at


@pytest.fixture
def discord(monkeypatch: pytest.MonkeyPatch) -> Iterator[Discord]:
    """A Discord of the test's own, where this process's bots go, and which waits for nothing.

    Where Discord's own document is at hand, it has to allow everything that the fake accepted.
    """
    monkeypatch.setattr(gateway, "BETWEEN_SESSIONS", 0.0)
    monkeypatch.setattr(gateway, "READY_SECONDS", 0.05)
    monkeypatch.setattr(rooms, "SETTLE_SECONDS", 0.02)
    monkeypatch.setattr(connection, "WATCH_SECONDS", 0.1)
    with (
        Discord() as server,
        pointed_at(server.api_url, server.gateway_url),
        override_settings(DISCORD_API=server.api_url, DISCORD_GATEWAY=server.gateway_url),
    ):
        yield server
        accepted = [seen for seen in server.requests if 200 <= seen.status < 300]
    judge = contract()
    if judge is not None:
        assert [wrong for seen in accepted for wrong in judge.wrong_with(seen)] == []


@pytest.fixture
def bot(discord: Discord) -> Bot:
    """An application for Ada, with everything switched on that Discord hands out."""
    return discord.bot("ada")


@pytest.fixture
def login(live_cast: Cast, bot: Bot) -> Account:
    """Ada's login with that bot."""
    return login_agent(live_cast, live_cast.ada, bot)


@pytest.fixture
def pond(discord: Discord, bot: Bot) -> Guild:
    """A server that the bot is in."""
    return discord.guild("Pond", bot)


@pytest.fixture
def tea(pond: Guild) -> Place:
    """A channel in it."""
    return pond.channel("tea")


@pytest.fixture
def ann(pond: Guild) -> Person:
    """A member of it."""
    return pond.member("ann")
