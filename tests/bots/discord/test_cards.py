"""Owners decide in a direct chat; only they, only once, and only what they saw."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest

from agentapp.cards import rules
from agentapp.cards.deciding import CHANGED, NOT_YOURS
from agentapp.cards.linking import LENGTH, WrongCode, make_code, unlink, use_code
from agentapp.cards.models import Card, CardCode, CardLink
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, edit, propose, reject
from agentapp.foundation import clock
from agentapp.foundation.errors import NotFound, Refused
from agentapp.identity.models import Account, Agent, User
from bots.bridge import Bridge
from tests.bots.discord.world import (
    discord_host,
    let_into,
    login_agent,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Person, Place, Shown


class Desk:
    """An agent with a bot in a channel, and its owner at a direct chat with it."""

    def __init__(self, cast: Cast, discord: Discord) -> None:
        self.cast, self.discord = cast, discord
        self.bot: Bot = discord.bot("ada")
        pond = discord.guild("Pond", self.bot)
        self.tea: Place = pond.channel("tea")
        self.olga: Person = pond.member("olga")
        self.ann: Person = pond.member("ann")
        self.chat: Place = self.olga.dm(self.bot)
        self.account: Account = login_agent(cast, cast.ada, self.bot)
        self.owner: User = cast.ada.owner

    def wants(self, text: str) -> Draft:
        """Let the agent want to say something that waits for its owner."""
        Agent.objects.filter(pk=self.cast.ada.pk).update(limits={"undo_seconds": 0})
        return propose(
            Wish(
                turn=None,
                agent_id=self.cast.ada.pk,
                room_id=room_of(self.tea).pk,
                text=text,
                kind="message",
            )
        )

    async def linked(self, bridge: Bridge) -> None:
        await let_into(bridge, self.cast, self.cast.ada, self.tea)
        code = await bridge.call(partial(make_code, account_id=self.account.pk, by=self.owner))
        await bridge.call(self.olga.says, self.chat, f"/link {code}")
        await eventually(bridge, CardLink.objects.count, 1)

    def cards(self) -> list[str]:
        return [one.text for one in self.chat.shows() if "**Ada**" in one.text]


@pytest.fixture
def desk(live_cast: Cast, discord: Discord) -> Desk:
    return Desk(live_cast, discord)


def test_an_owner_sends_with_one_press_and_the_card_is_tidied_up(desk: Desk) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await desk.linked(bridge)
            draft = await bridge.call(desk.wants, "Shortbread.")
            await eventually(bridge, lambda: len(desk.cards()), 1)
            assert "> Shortbread." in desk.cards()[0]
            card = desk.chat.said(desk.cards()[0])
            send, skip = card.buttons
            assert (send, skip) == (f"card:send:{draft.pk}:1", f"card:skip:{draft.pk}:1")
            await bridge.call(desk.olga.presses, card, send)
            await eventually(bridge, lambda: status_of(draft), "published")
            await eventually(bridge, lambda: "Sent by" in desk.cards()[0], True)

    run(work)
    assert desk.tea.shows() == [Shown("ada", "Shortbread.")]
    assert desk.chat.said(desk.cards()[0]).buttons == []
    draft = Draft.objects.get()
    assert (draft.decided_by, draft.decided_via) == (desk.owner, "card")


def test_a_card_skips_too_and_follows_a_decision_made_elsewhere(desk: Desk) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await desk.linked(bridge)
            first = await bridge.call(desk.wants, "One.")
            second = await bridge.call(desk.wants, "Two.")
            await eventually(bridge, lambda: len(desk.cards()), 2)
            card = desk.chat.said(next(one for one in desk.cards() if "One." in one))
            await bridge.call(desk.olga.presses, card, card.buttons[1])
            await eventually(bridge, lambda: status_of(first), "rejected")
            await bridge.call(partial(reject, draft_id=second.pk, by=desk.owner))
            await eventually(bridge, lambda: sum("Skipped" in one for one in desk.cards()), 2)

    run(work)
    assert desk.tea.shows() == []
    assert set(Card.objects.values_list("state", flat=True)) == {"closed"}


def test_a_card_of_older_words_sends_nothing(desk: Desk) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await desk.linked(bridge)
            draft = await bridge.call(desk.wants, "Old.")
            await eventually(bridge, lambda: len(desk.cards()), 1)
            old = desk.chat.said(desk.cards()[0])
            first_button = old.buttons[0]
            change = partial(edit, draft_id=draft.pk, version=1, text="New.", by=desk.owner)
            await bridge.call(change)
            asked = await bridge.call(desk.olga.presses, old, first_button)
            await eventually(bridge, asked.follow_ups, [CHANGED])
            await eventually(bridge, lambda: "> New." in desk.cards()[0], True)
            new = desk.chat.said(desk.cards()[0])
            assert new.buttons[0] == f"card:send:{draft.pk}:2"
            await bridge.call(desk.olga.presses, new, new.buttons[0])
            await eventually(bridge, lambda: status_of(draft), "published")

    run(work)
    assert desk.tea.shows() == [Shown("ada", "New.")]


def test_whoever_no_longer_owns_the_agent_presses_in_vain(desk: Desk) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await desk.linked(bridge)
            draft = await bridge.call(desk.wants, "Shortbread.")
            await eventually(bridge, lambda: len(desk.cards()), 1)
            card = desk.chat.said(desk.cards()[0])
            await bridge.call(partial(unlink, by=desk.owner))
            asked = await bridge.call(desk.olga.presses, card, card.buttons[0])
            await eventually(bridge, asked.follow_ups, [NOT_YOURS])
            assert await bridge.call(status_of, draft) == "pending"

    run(work)
    assert desk.tea.shows() == []


def test_someone_who_takes_no_direct_messages_is_told_on_the_page(desk: Desk) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await desk.linked(bridge)
            await bridge.call(desk.olga.refuses_dms)
            await bridge.call(desk.wants, "Shortbread.")
            await eventually(bridge, lambda: CardLink.objects.get().error != "", True)

    run(work)
    assert "takes no direct messages" in CardLink.objects.get().error
    assert Card.objects.get().state == "failed"


def test_a_code_works_once_within_minutes_and_only_where_it_was_made_for(desk: Desk) -> None:
    def use(code: str, agent: Agent = desk.cast.ada) -> User:
        return use_code(
            code=code, platform="discord", agent_id=agent.pk, external_id="77", name="x"
        )

    code = make_code(account_id=desk.account.pk, by=desk.owner)
    assert len(code.replace("-", "")) == LENGTH
    assert code not in CardCode.objects.get().code_hash
    for wrong in ("", "AAAAA-AAAAA", "\x00"):
        with pytest.raises(WrongCode):
            use(wrong)
    with pytest.raises(WrongCode):
        use(code, desk.cast.bo)
    assert use(code.lower()) == desk.owner
    with pytest.raises(WrongCode):
        use(code)
    late = make_code(account_id=desk.account.pk, by=desk.owner)
    CardCode.objects.update(expires_at=clock.now())
    with pytest.raises(WrongCode):
        use(late)
    for stranger in (desk.cast.sam, desk.cast.mallory):
        with pytest.raises((NotFound, Refused)):
            make_code(account_id=desk.account.pk, by=stranger)


def test_a_code_is_no_talk(desk: Desk) -> None:
    """It stands on record as a command, so no agent answers it."""

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await desk.linked(bridge)
            await eventually(bridge, lambda: len(record_of(desk.chat)) >= 1, True)

    run(work)
    assert not Draft.objects.exclude(metadata__notice=True).exists()


def test_few_cards_ring() -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    assert not rules.is_silent([], now=now)
    assert rules.is_silent([now - rules.RING_EVERY / 2], now=now)
    assert not rules.is_silent([now - rules.RING_EVERY], now=now)
    rung = [now - rules.RING_EVERY * (2 + number) for number in range(rules.RINGS_A_DAY)]
    assert rules.is_silent(rung, now=now)
