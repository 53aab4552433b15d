"""Discord fails in every way it knows; what is said shows once, and owners hear what to do."""

from __future__ import annotations

import gc
import threading
from datetime import timedelta
from functools import partial

import pytest
from discord.gateway import KeepAliveHandler

from agentapp.drafts.models import Outbound
from agentapp.foundation.envelope import Outgoing, Receipt
from agentapp.identity.models import Account, Agent
from agentapp.identity.services.connections import begin_session, note_refusals
from bots.bridge import Bridge
from bots.discord import client, refusals, watching
from bots.discord.client import DiscordConnector
from bots.discord.errors import IntentsMissing, LoginLost, OverBudget
from tests.bots.discord.world import (
    answers,
    discord_host,
    health,
    let_into,
    login_agent,
    membership_of,
    record_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Discord, Shown
from tests.fakes.discord.faults import Fault

SEND = "POST /channels/{channel}/messages"


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AMID, Fault.CUT_AFTER])
def test_a_send_that_breaks_off_shows_once(live_cast: Cast, discord: Discord, fault: Fault) -> None:
    bot = discord.bot("ada")
    tea = discord.guild("Pond", bot).channel("tea")
    login_agent(live_cast, live_cast.ada, bot)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(discord.cuts, SEND, fault)
            draft = await bridge.call(partial(answers, live_cast.ada, tea, "Once."))
            await eventually(bridge, lambda: status_of(draft), "published", seconds=20)

    run(work)
    assert tea.shows() == [Shown("ada", "Once.")]
    assert record_of(tea) == ["Once."]


class Forgetful(DiscordConnector):
    """Sends, and dies before it could say so."""

    async def send(self, outgoing: Outgoing) -> Receipt:
        await self._sender().put(outgoing)
        raise OSError

    async def read_back(self, outgoing: Outgoing) -> Receipt | None:
        raise OSError


def test_what_arrived_long_ago_is_found_by_its_words(live_cast: Cast, discord: Discord) -> None:
    """A sender died with the answer; nobody heard of the message, and its key is forgotten."""
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)

    async def before(bridge: Bridge) -> None:
        async with discord_host(bridge, maker=Forgetful):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(ann.says, tea, "Once.")
            draft = await bridge.call(partial(answers, live_cast.ada, tea, "Once."))
            await eventually(bridge, lambda: status_of(draft), "unknown")

    async def after(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, lambda: Outbound.objects.get().state, "sent")

    run(before)
    long_ago = Outbound.objects.get().tried_at
    assert long_ago is not None
    Outbound.objects.update(tried_at=long_ago - timedelta(minutes=10))
    discord.advance(600)
    run(after)
    assert tea.shows() == [Shown("ann", "Once."), Shown("ada", "Once.")]
    assert Outbound.objects.get().external_id == str(tea.messages()[1].id)


def test_a_token_that_is_reset_stops_the_login_and_says_what_to_do(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada")
    tea = discord.guild("Pond", bot).channel("tea")
    login_agent(live_cast, live_cast.ada, bot)

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
    live_cast: Cast, discord: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(discord.sends, "MESSAGE_CREATE", {"id": "nonsense"}, bot)
            await bridge.call(ann.says, tea, "Still there?")
            await eventually(bridge, partial(record_of, tea), ["Still there?"], seconds=20)

    run(work)
    assert discord.heard["identify"] == 2


def test_a_connection_that_only_seems_open_is_made_anew(live_cast: Cast, discord: Discord) -> None:
    bot = discord.bot("ada")
    discord.beat_every(0.5)
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)

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
    live_cast: Cast, discord: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = discord.bot("ada")
    tea = discord.guild("Pond", bot).channel("tea")
    login_agent(live_cast, live_cast.ada, bot)

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
    live_cast: Cast, discord: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_SESSIONS", 2)
    bot = discord.bot("ada")
    account = login_agent(live_cast, live_cast.ada, bot)

    async def work(bridge: Bridge) -> None:
        for _ in range(2):
            async with discord_host(bridge):
                await eventually(bridge, lambda: discord.connections, 1)
        async with discord_host(bridge):
            lost = ("lost", OverBudget().message)
            await eventually(bridge, partial(health, live_cast.ada), lost)

    run(work)
    assert bot.identifies == 2
    row = Account.objects.get(pk=account.pk)
    assert row.sessions == 2
    # The count is of one day, and of whoever holds the lease.
    Account.objects.filter(pk=account.pk).update(sessions_on="2020-01-01")
    assert not begin_session(account_id=account.pk, fence=row.fence - 1, most=2)


def test_an_intent_that_discord_refuses_is_named(live_cast: Cast, discord: Discord) -> None:
    """The portal was changed between the login and the connection."""
    bot = discord.bot("ada")
    login_agent(live_cast, live_cast.ada, bot)

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


def test_no_right_to_write_holds_the_piece_back_and_says_which(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea = pond.channel("tea")
    login_agent(live_cast, live_cast.ada, bot)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(partial(tea.denies, bot, "send_messages"))
            draft = await bridge.call(partial(answers, live_cast.ada, tea, "Hello?"))
            await eventually(bridge, lambda: status_of(draft), "failed")

    run(work)
    assert "Send Messages" in Outbound.objects.get().error
    assert discord.answers(SEND) == [403]


def test_a_channel_that_goes_or_closes_is_left(live_cast: Cast, discord: Discord) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, hall, yard = (pond.channel(name) for name in ("tea", "hall", "yard"))
    login_agent(live_cast, live_cast.ada, bot)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea, hall, yard)
            await bridge.call(tea.vanishes)
            await bridge.call(partial(hall.denies, bot, "view_channel"))
            for place in (tea, hall):
                await eventually(bridge, partial(membership_of, live_cast.ada, place), "removed")
            await bridge.call(pond.removes, bot)
            await eventually(bridge, partial(membership_of, live_cast.ada, yard), "removed")
            await eventually(bridge, partial(doors_of, live_cast.ada), 0)

    run(work)
    assert [membership_of(live_cast.ada, one) for one in (tea, hall, yard)] == ["removed"] * 3


def doors_of(agent: Agent) -> int:
    return sum(one.doorways.count() for one in Account.objects.filter(agent=agent))


def test_a_host_that_is_refused_too_often_rests(
    live_cast: Cast, discord: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "MOST", 3)
    monkeypatch.setattr(refusals, "GATHER_SECONDS", 0.0)
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea = pond.channel("tea")
    account = login_agent(live_cast, live_cast.ada, bot)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(partial(tea.denies, bot, "send_messages"))
            for text in ("1", "2", "3"):
                draft = await bridge.call(partial(answers, live_cast.ada, tea, text))
                await eventually(bridge, partial(status_of, draft), "failed")
            await bridge.call(tea.denies, bot)
            draft = await bridge.call(partial(answers, live_cast.ada, tea, "4"))
            await eventually(bridge, lambda: "so it rests" in piece_of(draft.pk).error, True)

    def piece_of(draft_id: int) -> Outbound:
        return Outbound.objects.get(draft=draft_id)

    run(work)
    assert discord.answers(SEND) == [403] * 3
    assert note_refusals(account_id=account.pk, platform="discord", count=0) == 3


def test_no_heartbeat_outlives_its_bot(
    live_cast: Cast, discord: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is refused before it begins has a connection already, and a thread for it."""
    monkeypatch.setattr(client, "MOST_SESSIONS", 1)
    login_agent(live_cast, live_cast.ada, discord.bot("ada"))

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
