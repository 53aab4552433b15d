"""One login is run by one process, and by another one soon after that has gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from typing_extensions import override

from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.errors import Refused, Unavailable
from agentapp.identity.models import Account, Agent
from agentapp.identity.services import leases
from agentapp.identity.services.agents import archive_agent
from agentapp.identity.services.leases import HealthReport
from bots import host as hosting
from bots.bridge import Bridge
from bots.connector import Accept
from bots.host import Host, holder_name
from bots.local.client import LocalConnector
from tests.bots.places import eventually, run, running_host, until
from tests.cast import Cast
from tests.pace import allowed

ROOT = Path(__file__).resolve().parents[2]


def take(holder: str) -> set[uuid.UUID]:
    return {one.account_id for one in leases.take_free(holder=holder, platforms=["local"])}


def run_out() -> None:
    Account.objects.update(lease_until=clock.now() - timedelta(seconds=1))


def health_of(agent: Agent) -> tuple[str, str]:
    row = Account.objects.get(agent=agent)
    return row.health, row.last_error


# -- leases ----------------------------------------------------------------------------------


def test_a_login_that_is_held_is_not_taken(live_cast: Cast) -> None:
    assert len(take("one")) == 2
    assert take("two") == set()
    assert len(leases.renew(holder="one").fences) == 2


def test_after_a_lease_ran_out_another_takes_over_under_a_new_fence(live_cast: Cast) -> None:
    before = {
        one.account_id: one.fence for one in leases.take_free(holder="one", platforms=["local"])
    }
    run_out()
    after = {
        one.account_id: one.fence for one in leases.take_free(holder="two", platforms=["local"])
    }

    assert after == {pk: fence + 1 for pk, fence in before.items()}
    assert leases.renew(holder="one").fences == {}


def test_a_lease_that_ran_out_is_not_renewed_even_if_nobody_took_it(live_cast: Cast) -> None:
    take("one")
    run_out()
    assert leases.renew(holder="one").fences == {}


def test_leases_run_on_the_databases_clock(live_cast: Cast) -> None:
    take("one")
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("UPDATE greenroom_clock SET shift = interval '16 s'")
        try:
            assert len(take("two")) == 2
        finally:
            owner.execute("UPDATE greenroom_clock SET shift = '0'")


def test_a_clean_stop_hands_over_at_once(live_cast: Cast) -> None:
    take("one")
    assert leases.give_back(holder="one") == 2
    assert len(take("two")) == 2
    assert leases.give_back(holder="one") == 0


def test_an_archived_agents_login_is_neither_taken_nor_kept(live_cast: Cast) -> None:
    take("one")
    archive_agent(agent_id=live_cast.ada.pk, by=live_cast.root)
    assert len(leases.renew(holder="one").fences) == 1
    run_out()
    assert len(take("two")) == 1


def test_a_report_under_an_old_fence_does_not_count(live_cast: Cast) -> None:
    account = Account.objects.get(agent=live_cast.ada)

    def says(holder: str, fence: int, health: Account.Health) -> int:
        report = HealthReport(account.pk, fence, health, "no route")
        return len(leases.report_health(holder=holder, reports=[report]))

    take("one")
    stale = Account.objects.get(agent=live_cast.ada).fence
    assert says("one", stale, Account.Health.FAILING) == 1
    run_out()
    take("one")  # the same process again, after it had paused for too long
    assert says("one", stale, Account.Health.OK) == 0
    assert says("two", stale + 1, Account.Health.OK) == 0
    assert health_of(live_cast.ada) == ("failing", "no route")
    run_out()
    assert says("one", stale + 1, Account.Health.OK) == 0


def test_trouble_and_its_end_are_on_record(live_cast: Cast) -> None:
    take("one")
    account = Account.objects.get(agent=live_cast.ada)
    for health in ("failing", "failing", "ok", "ok"):
        report = HealthReport(account.pk, account.fence, Account.Health(health), "")
        leases.report_health(holder="one", reports=[report])

    told = Event.objects.filter(subject_kind="account").order_by("id")
    assert [event.type for event in told] == ["account.failing", "account.recovered"]
    assert {event.agent_id for event in told} == {live_cast.ada.pk}


def make_logins(cast: Cast, count: int) -> None:
    Account.objects.bulk_create(
        Account(
            workspace=cast.workspace,
            agent=cast.ada,
            platform="local",
            external_id=f"more:{n}",
            health=Account.Health.OK,  # as the one it was made with
        )
        for n in range(count)
    )


def test_two_processes_never_both_have_a_login(live_cast: Cast) -> None:
    make_logins(live_cast, 200)
    start, taken = threading.Barrier(4), [list[set[uuid.UUID]]() for _ in range(4)]

    def compete(number: int) -> None:
        start.wait()
        for _ in range(60):
            found = leases.take_free(holder=str(number), platforms=["local"], limit=17)
            taken[number].append({one.account_id for one in found})
        connection.close()

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    everything = [pk for sets in taken for one in sets for pk in one]
    assert len(everything) == len(set(everything)) == 202


def test_a_thousand_logins_cost_as_many_statements_as_two(live_cast: Cast) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            held = leases.take_free(holder="one", platforms=["local"])
            leases.renew(holder="one")
            leases.report_health(
                holder="one",
                reports=[
                    HealthReport(one.account_id, one.fence, Account.Health.OK) for one in held
                ],
            )
            leases.give_back(holder="one")
        return len(captured)

    few = statements()
    make_logins(live_cast, 1_000)
    assert statements() == few


# -- the process -----------------------------------------------------------------------------


def test_a_running_host_has_every_login_and_says_they_are_well(live_cast: Cast) -> None:
    async def work(bridge: Bridge) -> None:
        async with running_host(bridge, holder="one") as host:
            assert len(host.running) == 2
            await eventually(bridge, lambda: health_of(live_cast.ada), ("ok", ""))
        assert host.running == {}
        assert not host.served_connectors()

    run(work)
    assert not Account.objects.exclude(lease_holder="").exists()
    assert health_of(live_cast.ada) == ("stopped", "")


def test_a_login_made_meanwhile_is_taken_within_moments(live_cast: Cast) -> None:
    async def work(bridge: Bridge) -> None:
        async with running_host(bridge) as host:
            await bridge.call(make_logins, live_cast, 3)
            await until(lambda: len(host.running) == 5, seconds=5)

    run(work)


def test_a_thousand_logins_are_up_within_seconds_and_stop_as_fast(live_cast: Cast) -> None:
    make_logins(live_cast, 1_000)

    async def work(bridge: Bridge) -> tuple[float, float]:
        begun = time.monotonic()
        async with running_host(bridge) as host:
            await until(lambda: len(host.running) == 1_002)
            up = time.monotonic()
        return up - begun, time.monotonic() - up

    started, stopped = run(work)
    assert started < allowed(5.0)
    assert stopped < allowed(2.0)


def test_a_host_that_lost_a_login_stops_its_connector(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "RENEW_SECONDS", 0.0)
    account_id = Account.objects.get(agent=live_cast.ada).pk

    def steal() -> None:
        Account.objects.filter(pk=account_id).update(lease_holder="two", fence=99)

    async def work(bridge: Bridge) -> None:
        async with running_host(bridge) as host:
            await bridge.call(steal)
            await until(lambda: account_id not in host.running, seconds=5)
            assert account_id not in host.served_connectors()
            assert len(host.running) == 1

    run(work)
    assert Account.objects.get(pk=account_id).lease_holder == "two"


def test_a_host_that_cannot_renew_serves_nobody(live_cast: Cast) -> None:
    async def work(bridge: Bridge) -> None:
        host = Host(makers={"local": LocalConnector}, bridge=bridge, holder="one")
        await host.look_after_leases()
        assert len(host.served_connectors()) == 2
        host._trusted_until = time.monotonic()  # as after 13 seconds without an answer
        assert not host.served_connectors()
        await host._stop_all(list(host.running))

    run(work)


class Moody(LocalConnector):
    """Does not get in at first."""

    moods: list[Exception | str | None] = []

    @override
    async def verify(self) -> str:
        mood = type(self).moods.pop(0) if type(self).moods else None
        if isinstance(mood, Exception):
            raise mood
        return mood or await super().verify()


class Breaks(LocalConnector):
    """Loses its connection once."""

    is_whole = False

    @override
    async def start(self, accept: Accept) -> None:
        if type(self).is_whole:
            await super().start(accept)
        type(self).is_whole = True
        raise ConnectionResetError


@pytest.mark.parametrize(
    ("mood", "health", "said"),
    [
        (Unavailable("no answer"), "failing", "no answer"),
        (Refused("the token was revoked"), "lost", "the token was revoked"),
        (ConnectionResetError(), "failing", "ConnectionResetError"),
        ("somebody:else", "lost", "This login belongs to 'somebody:else'"),
    ],
)
def test_a_connector_that_fails_is_seen_to_fail_and_comes_back(
    live_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    mood: Exception | str,
    health: str,
    said: str,
) -> None:
    monkeypatch.setattr(hosting, "FIRST_RETRY_SECONDS", 4.0)
    monkeypatch.setattr(Moody, "moods", [mood])
    archive_agent(agent_id=live_cast.bo.pk, by=live_cast.root)

    async def work(bridge: Bridge) -> None:
        async with running_host(bridge, maker=Moody):
            await eventually(bridge, lambda: health_of(live_cast.ada)[0], health, seconds=3)
            assert (await bridge.call(health_of, live_cast.ada))[1].startswith(said)
            await eventually(bridge, lambda: health_of(live_cast.ada), ("ok", ""))

    run(work)


def test_a_lost_connection_is_made_again(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "FIRST_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(Breaks, "is_whole", False)
    archive_agent(agent_id=live_cast.bo.pk, by=live_cast.root)

    async def work(bridge: Bridge) -> None:
        async with running_host(bridge, maker=Breaks):
            await until(lambda: Breaks.is_whole)
            await eventually(bridge, lambda: health_of(live_cast.ada), ("ok", ""))

    run(work)


def test_holders_are_unique_and_fit_their_columns() -> None:
    names = {holder_name() for _ in range(100)}
    assert len(names) == 100
    assert max(map(len, names)) <= 40


# -- the command -----------------------------------------------------------------------------


def wait_for(question: str, seconds: float = 30.0) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            row = session.execute(question).fetchone()  # type: ignore[arg-type]
            if row and row[0]:
                return
            time.sleep(0.05)
    raise AssertionError(question)


@pytest.fixture
def process(live_cast: Cast) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(
        [sys.executable, "manage.py", "runbots"], cwd=ROOT, stderr=subprocess.PIPE
    )
    try:
        wait_for("SELECT count(*) = 2 FROM agentapp_account WHERE lease_until > now()")
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_within_two_seconds_and_hands_over(
    process: subprocess.Popen[bytes], how: signal.Signals
) -> None:
    begun = time.monotonic()
    process.send_signal(how)
    _, log = process.communicate(timeout=10)

    assert time.monotonic() - begun < allowed(2.0)
    assert process.returncode == 0
    assert b"Traceback" not in log
    assert not Account.objects.exclude(lease_holder="").exists()


def test_after_a_kill_the_next_process_waits_for_the_lease(
    process: subprocess.Popen[bytes],
) -> None:
    process.kill()
    process.wait()
    assert take("next") == set()
    run_out()
    assert len(take("next")) == 2
