"""Approved drafts reach a web room once, whatever happens to the process that carries them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from typing_extensions import override

from agentapp.conversation.models import Message, Reaction
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication import claim_due
from agentapp.drafts.services import approve, propose, retract
from agentapp.foundation import clock
from agentapp.foundation.envelope import Outgoing, Receipt
from agentapp.identity.models import Account
from agentapp.identity.services.agents import pause_agent
from bots.bridge import Bridge
from bots.connector import Connector, SendFailed
from bots.delivery import Delivery
from bots.host import Host
from bots.local.client import LocalConnector
from tests.cast import Cast, make_message

pytestmark = pytest.mark.django_db(transaction=True)


def approved(cast: Cast, text: str = "Good evening.", **fields: object) -> Draft:
    draft = propose(
        turn=None,
        agent_id=cast.ada.pk,
        room_id=cast.lounge.pk,
        text=text,
        **{"kind": "message", **fields},  # type: ignore[arg-type]
    )
    approve(draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root)
    Outbound.objects.update(not_before=clock.now())
    return draft


class Flaky(LocalConnector):
    """Delivers, but the answer is lost; or refuses."""

    def __init__(self, bridge: Bridge, failure: Exception, *, arrives: bool) -> None:
        super().__init__(bridge)
        self.failure: Exception | None = failure
        self.arrives = arrives

    @override
    async def send(self, outgoing: Outgoing) -> Receipt:
        failure, self.failure = self.failure, None
        if failure is None:
            return await super().send(outgoing)
        if self.arrives:
            await super().send(outgoing)
        raise failure


def deliver(connector_of: type[Connector] | None = None, *, times: int = 1, **flaw: object) -> int:
    async def run() -> int:
        bridge = Bridge()
        connector: Connector = (
            Flaky(bridge, **flaw) if flaw else LocalConnector(bridge)  # type: ignore[arg-type]
        )
        connectors: Mapping[str, Connector] = {"local": connector}
        host = Host(connectors=connectors, bridge=bridge, holder="me")
        delivery = Delivery(bridge=bridge, connectors=connectors, holder="me")
        sent = 0
        for _ in range(times):
            sent += await delivery.run_once(await host.renew())
            await bridge.call(Outbound.objects.update, not_before=await bridge.call(clock.now))
        bridge.close()
        return sent

    return asyncio.run(run())


def published(cast: Cast) -> list[str]:
    return list(
        Message.objects.filter(author__agent=cast.ada, deleted_at__isnull=True)
        .order_by("id")
        .values_list("text", flat=True)
    )


def test_an_approved_draft_appears_once_in_its_room(live_cast: Cast) -> None:
    draft = approved(live_cast)

    assert deliver(times=3) == 1

    assert published(live_cast) == ["Good evening."]
    draft.refresh_from_db()
    piece = draft.pieces.get()
    assert draft.status == "published"
    assert piece.message is not None
    assert piece.message.external_id == piece.dedupe_key


def test_the_pieces_of_a_long_text_keep_their_order(live_cast: Cast) -> None:
    words = " ".join(f"word{n}" for n in range(1_500))
    approved(live_cast, words)

    deliver()

    assert len(published(live_cast)) > 1
    assert " ".join(published(live_cast)) == words


def test_a_lost_answer_is_read_back_and_not_sent_again(live_cast: Cast) -> None:
    draft = approved(live_cast)

    deliver(times=3, failure=ConnectionResetError(), arrives=True)

    assert published(live_cast) == ["Good evening."]
    draft.refresh_from_db()
    assert draft.status == "published"


def test_what_never_arrived_is_sent_after_reading_back(live_cast: Cast) -> None:
    draft = approved(live_cast)

    deliver(times=4, failure=ConnectionResetError(), arrives=False)

    assert published(live_cast) == ["Good evening."]
    draft.refresh_from_db()
    assert draft.status == "published"


def test_a_refusal_for_good_is_shown_to_the_owner(live_cast: Cast) -> None:
    draft = approved(live_cast)

    deliver(times=3, failure=SendFailed("not allowed here", final=True), arrives=False)

    assert published(live_cast) == []
    draft.refresh_from_db()
    assert (draft.status, draft.reason) == ("failed", "not allowed here")


def test_a_piece_whose_time_is_over_does_not_leave(live_cast: Cast) -> None:
    approved(live_cast)
    accounts = list(Account.objects.values_list("pk", flat=True))
    (piece,) = claim_due(holder="me", accounts=accounts)
    late = replace(piece, deadline=time.monotonic() - 1)

    async def run() -> None:
        bridge = Bridge()
        connectors: Mapping[str, Connector] = {"local": LocalConnector(bridge)}
        delivery = Delivery(bridge=bridge, connectors=connectors, holder="me")
        assert not await delivery._deliver(late)
        bridge.close()

    asyncio.run(run())

    assert published(live_cast) == []
    assert Outbound.objects.get().state == "failed"
    Outbound.objects.update(not_before=clock.now())
    assert deliver() == 1  # it is only late, not lost


def test_a_paused_agent_reaches_no_room(live_cast: Cast) -> None:
    approved(live_cast)
    pause_agent(agent_id=live_cast.ada.pk, by=live_cast.root)

    assert deliver(times=2) == 0
    assert published(live_cast) == []


def test_a_reaction_is_put_and_taken_back(live_cast: Cast) -> None:
    target = make_message(live_cast, live_cast.sam, "I passed my exam!")
    draft = approved(live_cast, "", kind="reaction", emoji="🎉", target_id=target.pk)
    deliver()
    reaction = Reaction.objects.get(message=target)
    assert (reaction.emoji, reaction.is_present, reaction.identity.agent) == (
        "🎉",
        True,
        live_cast.ada,
    )

    retract(draft_id=draft.pk, by=live_cast.root)
    deliver()
    reaction.refresh_from_db()
    draft.refresh_from_db()
    assert (reaction.is_present, draft.status) == (False, "retracted")


def test_a_retracted_message_is_gone_from_its_room(live_cast: Cast) -> None:
    draft = approved(live_cast)
    deliver()
    retract(draft_id=draft.pk, by=live_cast.root)
    deliver()

    assert published(live_cast) == []
    draft.refresh_from_db()
    assert draft.status == "retracted"


def test_a_login_is_served_by_one_process_and_taken_over_when_it_dies(live_cast: Cast) -> None:
    async def leases(*names: str) -> list[int]:
        bridge = Bridge()
        connectors: Mapping[str, Connector] = {"local": LocalConnector(bridge)}
        found = []
        for name in names:
            host = Host(connectors=connectors, bridge=bridge, holder=name)
            found.append(len(await host.renew()))
        bridge.close()
        return found

    assert asyncio.run(leases("one", "two", "one")) == [2, 0, 2]
    fence = Account.objects.get(agent=live_cast.ada).fence
    Account.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    assert asyncio.run(leases("two", "one")) == [2, 0]
    assert Account.objects.get(agent=live_cast.ada).fence == fence + 1


def test_a_process_that_stops_cleanly_gives_its_logins_back(live_cast: Cast) -> None:
    async def serve_and_stop() -> None:
        bridge = Bridge()
        stop = asyncio.Event()
        host = Host(connectors={"local": LocalConnector(bridge)}, bridge=bridge, holder="one")
        running = asyncio.create_task(host.run(stop))
        await asyncio.sleep(0.5)
        assert await bridge.call(Account.objects.filter(lease_holder="one").count) == 2
        stop.set()
        await asyncio.wait_for(running, 3)
        bridge.close()

    asyncio.run(serve_and_stop())
    assert not Account.objects.exclude(lease_holder="").exists()


def test_a_running_host_delivers_within_moments_of_an_approval(live_cast: Cast) -> None:
    async def run() -> float:
        bridge = Bridge()
        stop = asyncio.Event()
        host = Host(connectors={"local": LocalConnector(bridge)}, bridge=bridge)
        running = asyncio.create_task(host.run(stop))
        await asyncio.sleep(1.0)
        await bridge.call(approved, live_cast)
        begun = time.monotonic()
        while not await bridge.call(published, live_cast):
            assert time.monotonic() - begun < 10
            await asyncio.sleep(0.05)
        stop.set()
        await running
        bridge.close()
        return time.monotonic() - begun

    asyncio.run(run())
