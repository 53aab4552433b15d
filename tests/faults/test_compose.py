"""The production processes, as docker-compose.yml spells them, against servers of their own."""

from __future__ import annotations

import copy
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
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
        for n, member in enumerate(members):
            member.ask(f"q{n + 10:04}")
        ends = stopped(running)  # while they think
    # The web server ends what is open, then ends itself by the signal that it was sent.
    assert ends == dict.fromkeys(OWN, 0) | {"web": -signal.SIGTERM}
    assert list((host.log.parent / "data").glob("beat-schedule*"))

    with host.up():
        host.wait_until_healthy(seconds=HEALTHY_SECONDS)
        wait_for_answers(members)
        assert [member.answers() for member in members] == [member.asked for member in members]
        _a_wrong_file_is_noticed(host)


def _a_wrong_file_is_noticed(host: Composed) -> None:
    """While everything runs, a health check that asks the wrong thing says so."""
    for name, right, wrong in (
        ("web", "/health/ready", "/health/reddy"),
        ("web", "8000", "8001"),
        ("bots", "--check", "--chek"),
        ("worker", "worker@", "walker@"),
    ):
        assert not host.is_healthy(changed(name, "healthcheck", right, wrong)), (right, wrong)


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
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(host.url, timeout=5)  # noqa: S310 - our own host
