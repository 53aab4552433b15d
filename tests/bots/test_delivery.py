"""An approved draft reaches its room once, whatever happens to who carries it."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from dataclasses import replace

import pytest
from django.db import OperationalError, transaction
from typing_extensions import override

from agentapp.conversation.models import Message, Reaction
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication import claim_due
from agentapp.drafts.services import retract
from agentapp.foundation.database import fresh_connection
from agentapp.foundation.envelope import Outgoing, Receipt
from agentapp.identity.models import Account, Agent, Room
from agentapp.identity.services.agents import pause_agent
from agentapp.identity.services.leases import HeldAccount, give_back
from agentapp.identity.services.rooms import create_room
from agentapp.presence.services import add_agent
from bots import delivery
from bots.bridge import Bridge
from bots.connector import Connector, NotSent, SendRefused, TooLate
from bots.delivery import Delivery
from bots.local import client
from bots.local.client import LocalConnector
from tests.bots.places import (
    approved,
    due_now,
    eventually,
    run,
    running_host,
    said_by,
    say_freely,
    status_of,
    until,
)
from tests.cast import Cast, hold_logins, make_message
from tests.pace import allowed


class Flaky(LocalConnector):
    """Fails at its first pieces; `arrives` says whether they reach the room all the same."""

    failures: list[Exception] = []
    arrives = False
    calls: list[str] = []

    @override
    async def send(self, outgoing: Outgoing) -> Receipt:
        type(self).calls.append(outgoing.dedupe_key)
        if not type(self).failures:
            return await super().send(outgoing)
        failure = type(self).failures.pop(0)
        if type(self).arrives:
            await super().send(outgoing)
        raise failure


def flaky(*failures: Exception, arrives: bool = False) -> type[Flaky]:
    return type(
        "FlakyOnce", (Flaky,), {"failures": list(failures), "arrives": arrives, "calls": []}
    )


def deliver(draft: Draft, ends: str, *, maker: type[LocalConnector] = LocalConnector) -> None:
    """Run a host until the draft has ended as expected."""

    async def work(bridge: Bridge) -> None:
        def status() -> str:
            due_now()  # no test waits for the seconds between two attempts
            return status_of(draft)

        async with running_host(bridge, maker=maker):
            await eventually(bridge, status, ends)

    run(work)


def test_an_approved_draft_appears_once_and_is_linked_to_its_message(live_cast: Cast) -> None:
    draft = approved(live_cast)
    deliver(draft, "published")
    deliver(draft, "published")

    piece = draft.pieces.get()
    assert said_by(live_cast.ada) == ["Good evening."]
    assert piece.message == Message.objects.get(author__agent=live_cast.ada)
    assert piece.message.external_id == piece.dedupe_key


def test_the_pieces_of_a_long_text_keep_their_order(live_cast: Cast) -> None:
    words = " ".join(f"word{n}" for n in range(1_500))
    draft = approved(live_cast, words)
    deliver(draft, "published")

    assert len(said_by(live_cast.ada)) > 1
    assert " ".join(said_by(live_cast.ada)) == words


@pytest.mark.parametrize(
    ("failure", "arrives"),
    [
        (ConnectionResetError(), True),
        (ConnectionResetError(), False),
        (OperationalError(), False),
        (ZeroDivisionError(), True),
    ],
)
def test_when_nobody_knows_the_platform_is_read_back_before_any_resend(
    live_cast: Cast, failure: Exception, arrives: bool
) -> None:
    draft = approved(live_cast)
    maker = flaky(failure, arrives=arrives)
    deliver(draft, "published", maker=maker)

    assert said_by(live_cast.ada) == ["Good evening."]
    assert len(maker.calls) == (1 if arrives else 2), "sent again although it had arrived"
    assert len(set(maker.calls)) == 1, "sent again under another key"


def test_what_surely_did_not_leave_is_tried_again(live_cast: Cast) -> None:
    draft = approved(live_cast)
    deliver(draft, "published", maker=flaky(NotSent("busy"), NotSent("busy")))

    assert said_by(live_cast.ada) == ["Good evening."]
    assert draft.pieces.get().attempts == 3


def test_a_refusal_for_good_is_shown_to_the_owner(live_cast: Cast) -> None:
    draft = approved(live_cast)
    deliver(draft, "failed", maker=flaky(SendRefused("not allowed here")))

    draft.refresh_from_db()
    assert draft.reason == "not allowed here"
    assert said_by(live_cast.ada) == []


def test_a_send_that_hangs_becomes_unknown_and_is_settled(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hangs(Flaky):
        @override
        async def send(self, outgoing: Outgoing) -> Receipt:
            self.calls.append(outgoing.dedupe_key)
            if len(self.calls) == 1:
                await asyncio.sleep(60)
            return await LocalConnector.send(self, outgoing)

    monkeypatch.setattr(delivery, "SEND_TIMEOUT_SECONDS", 0.3)
    Hangs.calls = []
    draft = approved(live_cast)
    deliver(draft, "published", maker=Hangs)
    assert said_by(live_cast.ada) == ["Good evening."]


def one_delivery(bridge: Bridge, account: HeldAccount | None) -> Delivery:
    served: dict[uuid.UUID, Connector] = {}
    if account is not None:
        served[account.account_id] = LocalConnector(account, bridge)
    return Delivery(bridge=bridge, holder="me", connectors=lambda: served)


def held(agent: Agent) -> HeldAccount:
    row = Account.objects.get(agent=agent)
    return HeldAccount(
        row.pk, row.workspace_id, agent.pk, row.platform, row.external_id, agent.name, row.fence
    )


def claimed(cast: Cast) -> Outgoing:
    hold_logins("me")
    (piece,) = claim_due(holder="me", accounts=[held(cast.ada).account_id])
    give_back(holder="me")
    return piece


@pytest.mark.parametrize("is_served", [True, False])
def test_after_its_deadline_nothing_leaves_and_the_piece_goes_back(
    live_cast: Cast, is_served: bool
) -> None:
    draft = approved(live_cast)
    late = replace(claimed(live_cast), deadline=time.monotonic() - 0.001)
    account = held(live_cast.ada)

    async def work(bridge: Bridge) -> None:
        delivery = one_delivery(bridge, account if is_served else None)
        connector = LocalConnector(account, bridge) if is_served else None
        await delivery._send(late, connector)

    run(work)
    assert said_by(live_cast.ada) == []
    assert Outbound.objects.get().state == "failed"
    deliver(draft, "published")  # it is late, not lost


def test_waiting_for_a_thread_does_not_outlive_the_deadline(live_cast: Cast) -> None:
    approved(live_cast)
    piece = replace(claimed(live_cast), deadline=time.monotonic() + 0.3)
    account = held(live_cast.ada)

    async def whole() -> None:
        bridge = Bridge(threads=1)
        blocker = asyncio.create_task(bridge.call(time.sleep, 0.6))
        await asyncio.sleep(0)
        await one_delivery(bridge, account)._send(piece, LocalConnector(account, bridge))
        await blocker
        bridge.close()

    asyncio.run(whole())
    assert said_by(live_cast.ada) == []
    assert Outbound.objects.get().state == "failed"


@pytest.mark.parametrize("kind", ["alone", "together"])
def test_who_waits_for_a_room_past_the_claim_writes_nothing(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(client, "SEND_TIMEOUT_SECONDS", 0.1)
    approved(live_cast)
    piece = replace(claimed(live_cast), deadline=time.monotonic() + 0.2)
    pieces = [(piece, "Ada")] if kind == "alone" else [(piece, "Ada"), (piece, "Ada")]

    def hold_the_room() -> None:
        with fresh_connection(), transaction.atomic():
            Room.objects.select_for_update().get(pk=live_cast.lounge.pk)
            is_held.set()
            time.sleep(0.6)

    is_held = threading.Event()
    holder = threading.Thread(target=hold_the_room)
    holder.start()
    assert is_held.wait(5)
    written = client._put_all(pieces)
    holder.join()

    assert all(isinstance(each, TooLate) for each in written)
    assert said_by(live_cast.ada) == []


def test_a_piece_whose_sender_died_is_read_back_by_the_next(live_cast: Cast) -> None:
    draft = approved(live_cast)
    piece = claimed(live_cast)
    account = held(live_cast.ada)

    async def dies_before_it_says_so(bridge: Bridge) -> None:
        await LocalConnector(account, bridge).send(piece)

    run(dies_before_it_says_so)
    Outbound.objects.update(lease_until="2001-01-01T00:00Z")
    deliver(draft, "published")
    assert said_by(live_cast.ada) == ["Good evening."]
    assert draft.pieces.get().message is not None


def test_a_paused_agent_reaches_no_room(live_cast: Cast) -> None:
    draft = approved(live_cast)
    pause_agent(agent_id=live_cast.ada.pk, by=live_cast.root)
    deliver(draft, "pending")
    assert said_by(live_cast.ada) == []


def test_a_reaction_is_put_and_taken_back(live_cast: Cast) -> None:
    target = make_message(live_cast, live_cast.sam, "I passed my exam!")
    draft = approved(live_cast, "", kind="reaction", emoji="🎉", target_id=target.pk)
    deliver(draft, "published")
    reaction = Reaction.objects.get(message=target)
    assert (reaction.emoji, reaction.is_present) == ("🎉", True)
    assert reaction.identity.agent == live_cast.ada

    retract(draft_id=draft.pk, by=live_cast.root)
    deliver(draft, "retracted")
    reaction.refresh_from_db()
    assert not reaction.is_present


def test_a_retracted_message_is_gone_from_its_room(live_cast: Cast) -> None:
    draft = approved(live_cast)
    deliver(draft, "published")
    retract(draft_id=draft.pk, by=live_cast.root)
    deliver(draft, "retracted")
    assert said_by(live_cast.ada) == []


@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("kind", ["reaction", "retract message", "retract reaction"])
def test_every_kind_of_piece_can_be_read_back(live_cast: Cast, kind: str, arrives: bool) -> None:
    target = make_message(live_cast, live_cast.sam, "I passed my exam!")
    fields = {"kind": "reaction", "emoji": "🎉", "target_id": target.pk}
    draft = approved(live_cast, "", **fields) if "reaction" in kind else approved(live_cast)
    ends = "published"
    if kind.startswith("retract"):
        deliver(draft, "published")
        retract(draft_id=draft.pk, by=live_cast.root)
        ends = "retracted"
    maker = flaky(ConnectionResetError(), arrives=arrives)
    deliver(draft, ends, maker=maker)
    assert len(maker.calls) == (1 if arrives else 2)


def test_a_running_host_is_woken_by_the_approval(live_cast: Cast) -> None:
    async def work(bridge: Bridge) -> None:
        async with running_host(bridge):
            await asyncio.sleep(1.0)  # its first look is over
            for number in range(3):
                begun = time.monotonic()
                await bridge.call(say_freely, live_cast, f"Hello {number}", room=live_cast.lounge)
                await eventually(bridge, lambda: len(said_by(live_cast.bo)), number + 1)
                assert time.monotonic() - begun < delivery.POLL_SECONDS

    run(work)


def test_many_rooms_are_served_side_by_side_and_each_in_order(live_cast: Cast) -> None:
    rooms = [
        create_room(
            workspace=live_cast.workspace, name=f"R{n}", visibility="public", by=live_cast.root
        )
        for n in range(8)
    ]
    for room in rooms:
        add_agent(room_id=room.pk, agent_id=live_cast.bo.pk, by=live_cast.root)
    for number in range(5):
        for room in rooms:
            say_freely(live_cast, f"{number}", room=room)

    async def work(bridge: Bridge) -> None:
        async with running_host(bridge):
            await eventually(bridge, lambda: len(said_by(live_cast.bo)), 40, seconds=30)

    run(work)
    for room in rooms:
        assert list(
            Message.objects.filter(room=room).order_by("id").values_list("text", flat=True)
        ) == ["0", "1", "2", "3", "4"]


def test_stopping_lets_what_is_in_flight_end(live_cast: Cast) -> None:
    class Slow(LocalConnector):
        begun = asyncio.Event()

        @override
        async def send(self, outgoing: Outgoing) -> Receipt:
            type(self).begun.set()
            await asyncio.sleep(0.6)
            return await super().send(outgoing)

    draft = approved(live_cast)

    async def work(bridge: Bridge) -> float:
        Slow.begun = asyncio.Event()
        async with running_host(bridge, maker=Slow):
            await until(Slow.begun.is_set)
            stopped = time.monotonic()
        return time.monotonic() - stopped

    assert run(work) < allowed(2.0)
    assert status_of(draft) == "published"
    assert said_by(live_cast.ada) == ["Good evening."]
