"""Discord refuses and breaks off; what is said shows once, and owners hear what to do."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from agentapp.drafts.models import Outbound
from agentapp.foundation.envelope import Outgoing, Receipt
from agentapp.identity.models import Account, Agent
from agentapp.identity.services.connections import note_refusals
from bots.bridge import Bridge
from bots.discord import refusals
from bots.discord.client import DiscordConnector
from tests.bots.discord.world import (
    answers,
    discord_host,
    let_into,
    membership_of,
    record_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Guild, Person, Place, Shown
from tests.fakes.discord.faults import Fault

SEND = "POST /channels/{channel}/messages"

pytestmark = pytest.mark.usefixtures("login")


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AMID, Fault.CUT_AFTER])
def test_a_send_that_breaks_off_shows_once(
    live_cast: Cast, discord: Discord, tea: Place, fault: Fault
) -> None:
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


def test_what_arrived_long_ago_is_found_by_its_words(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person
) -> None:
    """A sender died with the answer; nobody heard of the message, and its key is forgotten."""

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


def test_no_right_to_write_holds_the_piece_back_and_says_which(
    live_cast: Cast, discord: Discord, bot: Bot, tea: Place
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(partial(tea.denies, bot, "send_messages"))
            draft = await bridge.call(partial(answers, live_cast.ada, tea, "Hello?"))
            await eventually(bridge, lambda: status_of(draft), "failed")

    run(work)
    assert "Send Messages" in Outbound.objects.get().error
    assert discord.answers(SEND) == [403]


def test_a_channel_that_goes_or_closes_is_left(
    live_cast: Cast, bot: Bot, pond: Guild, tea: Place
) -> None:
    hall, yard = pond.channel("hall"), pond.channel("yard")

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
    live_cast: Cast,
    discord: Discord,
    login: Account,
    bot: Bot,
    tea: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "MOST", 3)
    monkeypatch.setattr(refusals, "GATHER_SECONDS", 0.0)

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
    assert note_refusals(account_id=login.pk, platform="discord", count=0) == 3
