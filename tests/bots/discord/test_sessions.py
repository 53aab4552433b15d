"""Sessions that end, hang or only seem alive are made anew, and owners hear what to mend."""

from __future__ import annotations

import gc
import threading
from functools import partial

import pytest
from discord.gateway import KeepAliveHandler

from agentapp.identity.models import Account
from agentapp.identity.services.connections import begin_session
from bots.bridge import Bridge
from bots.discord import client, watching
from bots.discord.errors import IntentsMissing, LoginLost, OverBudget
from tests.bots.discord.world import (
    answers,
    discord_host,
    health,
    let_into,
    record_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Person, Place

SEND = "POST /channels/{channel}/messages"

pytestmark = pytest.mark.usefixtures("login")


def test_a_token_that_is_reset_stops_the_login_and_says_what_to_do(
    live_cast: Cast, discord: Discord, bot: Bot, tea: Place
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(bot.loses_its_token)
            lost = ("lost", LoginLost().message)
            await eventually(bridge, partial(health, live_cast.ada), lost)
            asked = discord.answers("GET /users/@me").count(401)
            draft = await bridge.call(partial(answers, live_cast.ada, tea, "Hello?"))
            await eventually(bridge, lambda: status_of(draft), "approved")
            assert discord.answers("GET /users/@me").count(401) == asked <= 1

    run(work)
    assert tea.shows() == []


def test_an_event_nobody_understands_does_not_make_it_deaf(
    live_cast: Cast,
    discord: Discord,
    bot: Bot,
    tea: Place,
    ann: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(discord.sends, "MESSAGE_CREATE", {"id": "nonsense"}, bot)
            await bridge.call(ann.says, tea, "Still there?")
            await eventually(bridge, partial(record_of, tea), ["Still there?"], seconds=20)

    run(work)
    assert discord.heard["identify"] == 2


def test_a_connection_that_only_seems_open_is_made_anew(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person
) -> None:
    discord.beat_every(0.5)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(discord.withhold_acks)
            await eventually(bridge, lambda: health(live_cast.ada)[0], "failing", seconds=20)
            await bridge.call(partial(discord.withhold_acks, withheld=False))
            await bridge.call(ann.says, tea, "Back?")
            await eventually(bridge, partial(record_of, tea), ["Back?"], seconds=20)

    run(work)
    assert discord.heard["identify"] >= 2


def test_a_connection_without_any_event_for_hours_is_made_anew(
    live_cast: Cast, discord: Discord, tea: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            monkeypatch.setattr(watching, "SILENT_SECONDS", 0.0)
            await eventually(bridge, lambda: health(live_cast.ada)[0], "failing")
            monkeypatch.setattr(watching, "SILENT_SECONDS", 60.0)
            await eventually(bridge, lambda: health(live_cast.ada)[0], "ok")
            await eventually(bridge, lambda: discord.heard["identify"] >= 2, True)

    run(work)
    assert discord.heard["identify"] >= 2


def test_a_bot_that_begins_anew_too_often_waits_for_tomorrow(
    live_cast: Cast, discord: Discord, login: Account, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_SESSIONS", 2)

    async def work(bridge: Bridge) -> None:
        for _ in range(2):
            async with discord_host(bridge):
                await eventually(bridge, lambda: discord.connections, 1)
        async with discord_host(bridge):
            lost = ("lost", OverBudget().message)
            await eventually(bridge, partial(health, live_cast.ada), lost)

    run(work)
    assert bot.identifies == 2
    row = Account.objects.get(pk=login.pk)
    assert row.sessions == 2
    # The count is of one day, and of whoever holds the lease.
    Account.objects.filter(pk=login.pk).update(sessions_on="2020-01-01")
    assert not begin_session(account_id=login.pk, fence=row.fence - 1, most=2)


def test_an_intent_that_discord_refuses_is_named(
    live_cast: Cast, discord: Discord, bot: Bot
) -> None:
    """The portal was changed between the login and the connection."""

    def no_longer() -> None:
        bot.app.enabled = 0

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, lambda: discord.connections, 1)
            with discord.gap(bot):
                no_longer()
            lost = ("lost", IntentsMissing().message)
            await eventually(bridge, partial(health, live_cast.ada), lost, seconds=20)

    run(work)
    assert bot.identifies >= 1


def test_no_heartbeat_outlives_its_bot(
    live_cast: Cast, discord: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is refused before it begins has a connection already, and a thread for it."""
    monkeypatch.setattr(client, "MOST_SESSIONS", 1)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, lambda: discord.connections, 1)
        async with discord_host(bridge):
            lost = ("lost", OverBudget().message)
            await eventually(bridge, partial(health, live_cast.ada), lost)

    run(work)
    beating = [one for one in threading.enumerate() if isinstance(one, KeepAliveHandler)]
    for one in beating:
        one.join(1.0)
    assert not any(one.is_alive() for one in beating)
    del beating
    gc.collect()  # a socket that was left open says so now, and pytest fails
