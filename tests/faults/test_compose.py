"""The production processes, as docker-compose.yml spells them, against servers of their own."""

from __future__ import annotations

import copy
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.agentapp.management.hosts import ROOT, free_port, short_folder
from tests.fakes.model_server import ModelServer
from tests.faults.composed import OWN, Composed, machine, services, stopped
from tests.faults.storm import answer
from tests.faults.test_cold_kills import Member

MEMBERS = 3
HEALTHY_SECONDS = 90.0
ANSWERED_SECONDS = 60.0
BAD_SECONDS = 0.7
LIMIT_PASSES = 700  # seconds; one person is answered ten times in ten minutes
LEASES_PASS = 20  # seconds; longer than what a broken connection left behind is held


@pytest.fixture(scope="module")
def host() -> Iterator[Composed]:
    """A machine on which everything was set up that ends by itself."""
    with short_folder() as folder, machine(folder, port=free_port()) as composed:
        for name in ("roles", "migrate"):
            done = composed.run(services()[name])
            assert (done.returncode, done.stderr) == (0, ""), name
        yield composed


@pytest.fixture(scope="module")
def members(host: Composed) -> Iterator[list[Member]]:
    """Members with tokens, and a model that answers."""
    with ModelServer() as model:
        model.reply = answer
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.settling_in", model.base_url, str(MEMBERS)],
            cwd=ROOT,
            env=host.environment(services()["web"]),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        yield [Member(host.url, each["token"], each["room"]) for each in json.loads(done.stdout)]


def is_answered(members: list[Member]) -> bool:
    return all(set(member.asked) <= set(member.answers()) for member in members)


def wait_for_answers(members: list[Member]) -> None:
    give_up = time.monotonic() + ANSWERED_SECONDS
    while not is_answered(members) and time.monotonic() < give_up:
        time.sleep(0.1)


def test_they_turn_healthy_answer_once_and_stop_without_losing_anything(
    host: Composed, members: list[Member]
) -> None:
    for name in ("web", "bots"):  # nobody is healthy who does not run
        assert not host.is_healthy(services()[name]), name
    with host.up() as running:
        host.wait_until_healthy(seconds=HEALTHY_SECONDS)
        for n, member in enumerate(members):
            member.ask(f"q{n:04}")
        wait_for_answers(members)
        host.wait_until_the_clock_ticks(seconds=HEALTHY_SECONDS)
        for n, member in enumerate(members):
            member.ask(f"q{n + 10:04}")
        ends = stopped(running)  # while they think
    # The web server ends what is open, then ends itself by the signal that it was sent.
    assert ends == dict.fromkeys(OWN, 0) | {"web": -signal.SIGTERM}, host.said()


@pytest.fixture(scope="module")
def again(host: Composed, members: list[Member]) -> Iterator[Composed]:
    """The same host, started again after it had been stopped amid its work."""
    with host.up():
        host.wait_until_healthy(seconds=HEALTHY_SECONDS)
        yield host


def everybody_asks(members: list[Member], first: int) -> None:
    """Ask on, and expect one answer to everything that was ever asked, in order."""
    for n, member in enumerate(members, first):
        member.ask(f"q{n:04}")
    wait_for_answers(members)
    assert [member.answers() for member in members] == [member.asked for member in members]


def test_what_was_begun_before_the_stop_is_ended_after_it(
    again: Composed, members: list[Member]
) -> None:
    everybody_asks(members, 20)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("web", "/health/ready", "/health/reddy"),
        ("web", "8000", "8001"),
        ("bots", "--check", "--chek"),
        ("worker", "worker@", "walker@"),
    ],
)
def test_a_wrong_health_check_is_noticed(
    again: Composed, name: str, right: str, wrong: str
) -> None:
    assert not again.is_healthy(changed(name, "healthcheck", right, wrong))


def test_ten_minutes_without_the_broker_delay_nothing_that_was_asked(
    again: Composed, members: list[Member]
) -> None:
    again.proxies["valkey"].cut()
    everybody_asks(members, 30)
    again.let_pass(600)
    everybody_asks(members, 40)
    again.proxies["valkey"].restore()
    again.wait_until_healthy(seconds=HEALTHY_SECONDS)
    everybody_asks(members, 50)


def test_a_bad_network_to_the_database_loses_and_doubles_nothing(
    again: Composed, members: list[Member]
) -> None:
    network = again.proxies["postgres"]
    again.let_pass(LIMIT_PASSES)
    for first, harm in (
        (100, network.reset),
        (110, network.cut),
        (120, network.stall),
        (130, partial(network.delay, 0.02)),
        (140, partial(network.drip, 200_000)),
    ):
        for n, member in enumerate(members, first):
            assert not member.tries_to_ask(f"q{n:04}")
        harm()
        time.sleep(BAD_SECONDS)
        network.restore()
        again.let_pass(LEASES_PASS)
        everybody_asks(members, first + 5)


def test_a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing(
    again: Composed, members: list[Member]
) -> None:
    if not again.disk.is_small:
        pytest.skip("no right to mount a small disk")
    again.let_pass(LIMIT_PASSES)
    # Short ones may still find room on pages that exist.
    words = [
        (member, f"q{n:04}", secrets.token_hex(10_000)) for n, member in enumerate(members, 200)
    ]
    with again.disk.full():
        refused = [member.tries_to_ask(word, more=more) for member, word, more in words]
    assert "500" in refused or "503" in refused, refused
    for member, word, more in words:
        member.ask(word, more=more)  # as a client does that was told it is not kept
    everybody_asks(members, 210)


def changed(name: str, part: str, right: str, wrong: str) -> dict[str, Any]:
    """Return a service of the file with one word changed."""
    service: dict[str, Any] = copy.deepcopy(services()[name])
    text = json.dumps(service[part])
    assert right in text
    service[part] = json.loads(text.replace(right, wrong))
    return service


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("web", "dashboard.asgi", "dashboard.asgy"),
        ("worker", "agentapp.config.celery", "agentapp.config.selery"),
        ("beat", "-s", "--schedules"),
        ("bots", "runbots", "runbot"),
    ],
)
def test_a_wrong_command_does_not_stay(host: Composed, name: str, right: str, wrong: str) -> None:
    process = host.start(changed(name, "command", right, wrong))
    try:
        assert process.wait(30) != 0
    finally:
        process.kill()
        process.wait()


def test_the_addresses_in_the_file_are_all_replaced(host: Composed) -> None:
    for name in OWN:
        told = host.environment(services()[name])
        assert "postgres:5432" not in str(told)
        assert "valkey:6379" not in str(told)
