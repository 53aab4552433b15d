"""Processes share logins evenly by themselves, and only who has a login speaks for it."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from typing_extensions import override

from agentapp.drafts.models import Outbound
from agentapp.drafts.publication import claim_due, reclaim_lost, unknown_due
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.envelope import Outgoing, Receipt
from agentapp.identity.models import Account, Runner
from agentapp.identity.services import leases
from bots import host as hosting
from bots.bridge import Bridge
from bots.local.client import LocalConnector
from tests.bots.places import approved, eventually, run, running_host, said_by, until
from tests.bots.test_host import make_logins
from tests.cast import Cast

LOCAL = ["local"]


def passes(seconds: float) -> None:
    """Let time pass for leases and processes, without waiting for it."""
    step = timedelta(seconds=seconds)
    for row in Runner.objects.all():
        Runner.objects.filter(pk=row.pk).update(
            since=row.since - step, alive_until=row.alive_until - step
        )
    for account in Account.objects.exclude(lease_until=None):
        assert account.lease_until is not None
        Account.objects.filter(pk=account.pk).update(lease_until=account.lease_until - step)


def looks(holder: str, *, gives: bool = True) -> int:
    """Do what a process does in one look; return how many logins it took or gave."""
    renewed = leases.renew(holder=holder, platforms=LOCAL)
    given = renewed.surplus if gives else []
    if given:
        leases.give_back(holder=holder, accounts=given)
    return len(given) + len(leases.take_free(holder=holder, platforms=LOCAL))


def settle(*holders: str) -> None:
    """Let processes look until nothing moves any more."""
    for holder in holders:
        leases.renew(holder=holder, platforms=LOCAL)
    passes(leases.SETTLED_SECONDS)
    for _ in range(6):
        if not sum(looks(holder) for holder in holders):
            return
    pytest.fail("logins move for ever")


def shares() -> dict[str, int]:
    held = Account.objects.filter(lease_until__gt=clock.now())
    return dict(Counter(held.values_list("lease_holder", flat=True)))


# -- shares ----------------------------------------------------------------------------------


def test_processes_have_equal_shares_and_then_nothing_moves(cast: Cast) -> None:
    make_logins(cast, 9)
    looks("a")
    assert shares() == {"a": 11}
    settle("a", "b", "c")
    assert shares() == {"a": 4, "b": 4, "c": 3}
    assert [looks(holder) for holder in ("c", "a", "b", "a")] == [0, 0, 0, 0]


def test_who_goes_leaves_its_share_to_the_others_at_once(cast: Cast) -> None:
    make_logins(cast, 8)
    settle("a", "b")
    leases.give_back(holder="a")
    assert looks("b") == 5
    assert shares() == {"b": 10}


def test_who_was_killed_leaves_it_when_its_leases_end(cast: Cast) -> None:
    make_logins(cast, 8)
    settle("a", "b")
    passes(leases.LEASE_SECONDS - 1)
    leases.renew(holder="b", platforms=LOCAL)
    assert looks("b") == 0
    passes(1.1)
    looks("b")
    assert shares() == {"b": 10}


def test_a_process_that_only_just_began_takes_nothing_from_the_others(cast: Cast) -> None:
    looks("a")
    for n in range(5):  # one that dies at every start
        leases.renew(holder=f"dies {n}", platforms=LOCAL)
    assert looks("a") == 0
    assert shares() == {"a": 2}


def test_what_nobody_takes_is_anybodys_in_the_end(cast: Cast) -> None:
    make_logins(cast, 2)
    settle("a", "stuck")
    leases.give_back(holder="stuck", accounts=list(Account.objects.values_list("pk", flat=True)))
    assert looks("a", gives=False) == 0
    Account.objects.filter(lease_holder="").update(
        lease_until=clock.now() - timedelta(seconds=leases.PATIENCE_SECONDS + 1)
    )
    assert looks("a", gives=False) == 2


def test_who_runs_another_platform_has_no_share_of_this_one(cast: Cast) -> None:
    leases.renew(holder="b", platforms=["elsewhere"])
    settle("a")
    assert shares() == {"a": 2}


def test_a_login_that_is_ending_stays_where_it_is(cast: Cast) -> None:
    make_logins(cast, 2)
    looks("a")
    Account.objects.update(state=Account.State.ENDING)
    leases.renew(holder="b", platforms=LOCAL)
    passes(leases.SETTLED_SECONDS)
    assert leases.renew(holder="a", platforms=LOCAL).surplus == []


def test_a_look_costs_one_statement_however_many_there_are(cast: Cast) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            leases.take_free(holder="a", platforms=LOCAL)
            leases.renew(holder="a", platforms=LOCAL)
        return len([one for one in captured if "SAVEPOINT" not in str(one["sql"])])

    looks("a")
    assert statements() == 2
    make_logins(cast, 300)
    for n in range(30):
        leases.renew(holder=f"other {n}", platforms=LOCAL)
    looks("a")
    assert statements() == 2


# -- speaking for a login ----------------------------------------------------------------------


def test_a_stale_holder_can_claim_no_piece(live_cast: Cast) -> None:
    approved(live_cast)
    accounts = list(Account.objects.values_list("pk", flat=True))
    looks("a")
    passes(leases.LEASE_SECONDS + 1)
    assert claim_due(holder="a", accounts=accounts) == []  # it ran out, and nobody else has it yet
    looks("b")
    assert claim_due(holder="a", accounts=accounts) == []
    assert len(claim_due(holder="b", accounts=accounts)) == 1


def test_a_stale_holder_settles_nothing_either(live_cast: Cast) -> None:
    approved(live_cast)
    accounts = list(Account.objects.values_list("pk", flat=True))
    looks("a")
    claim_due(holder="a", accounts=accounts)
    Outbound.objects.update(lease_until=clock.now())
    passes(leases.LEASE_SECONDS + 1)
    looks("b")
    reclaim_lost()
    assert unknown_due(holder="a", accounts=accounts) == []
    assert len(unknown_due(holder="b", accounts=accounts)) == 1


# -- the processes ---------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that look often, and count from the beginning."""
    monkeypatch.setattr(hosting, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(hosting, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(leases, "SETTLED_SECONDS", 0.0)


def moves() -> int:
    return Event.objects.filter(type__in=["account.leased", "account.released"]).count()


def test_a_second_process_gets_half_and_then_all_is_quiet(live_cast: Cast, hasty: None) -> None:
    make_logins(live_cast, 18)

    async def work(bridge: Bridge) -> None:
        async with running_host(bridge, holder="one") as one:
            assert len(one.running) == 20
            async with running_host(bridge, holder="two") as two:
                await until(lambda: (len(one.running), len(two.running)) == (10, 10))
                before = await bridge.call(moves)
                await asyncio.sleep(0.6)  # several looks of both
                assert await bridge.call(moves) == before
                assert not {*one.running} & {*two.running}
            await until(lambda: len(one.running) == 20)

    run(work)


class Slow(LocalConnector):
    """Says when it begins to send, and sends when it is told."""

    begun: asyncio.Event
    may_end: asyncio.Event
    stopped: list[uuid.UUID] = []

    @override
    async def send(self, outgoing: Outgoing) -> Receipt:
        type(self).begun.set()
        await type(self).may_end.wait()
        return await super().send(outgoing)

    @override
    async def stop(self) -> None:
        type(self).stopped.append(self._account.account_id)
        await super().stop()


def test_a_login_is_handed_over_only_after_what_was_begun(live_cast: Cast, hasty: None) -> None:
    account = Account.objects.get(agent=live_cast.ada)
    Account.objects.exclude(pk=account.pk).delete()
    draft = approved(live_cast)

    async def work(bridge: Bridge) -> None:
        Slow.begun, Slow.may_end, Slow.stopped = asyncio.Event(), asyncio.Event(), []
        async with running_host(bridge, maker=Slow, holder="two") as two:
            await Slow.begun.wait()
            # Of one login and two processes the first by name has the share.
            await bridge.call(leases.renew, holder="one", platforms=LOCAL)
            await until(lambda: account.pk in two._sharing.leaving)
            await asyncio.sleep(0.2)
            assert not two.served_connectors()
            assert Slow.stopped == []
            Slow.may_end.set()
            await until(lambda: not two.running and bool(Slow.stopped))
            assert Slow.stopped == [account.pk]
            await eventually(bridge, lambda: said_by(live_cast.ada), ["Good evening."])
            assert await bridge.call(shares) == {}

    run(work)
    draft.refresh_from_db()
    assert draft.status == "published"


def test_what_nobody_runs_is_given_back(live_cast: Cast, hasty: None) -> None:
    async def work(bridge: Bridge) -> None:
        async with running_host(bridge, holder="one") as one:
            # As when the answer to taking it was lost on the way.
            before = set(one.running)
            await one._stop_all(list(one.running))
            assert not one.running
            await until(lambda: len(one.running) == 2)
            assert set(one.running) == before

    run(work)
