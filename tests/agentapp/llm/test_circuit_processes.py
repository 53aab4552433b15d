"""What one process learns of a model server, all others know: real processes, real kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from agentapp.foundation import clock
from agentapp.llm.circuit import FAILURES_TO_OPEN, GRACE_SECONDS, OPEN_SECONDS
from agentapp.llm.models import Provider
from tests.cast import Cast
from tests.fakes.connecting import connect
from tests.fakes.model_server import Behaviour, ModelServer

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 10.0
DOWN = Behaviour(raw=b"data: {not json\n\n")  # not worth a second try
AFTER_THE_PAUSE = timedelta(seconds=OPEN_SECONDS + 1)
PAST_THE_LEASE = timedelta(seconds=DEADLINE + GRACE_SECONDS + 1)

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Asker:
    """The other end of a process that asks."""

    process: subprocess.Popen[str]
    workspace: int = 0

    def begin(self, *keys: str) -> None:
        assert self.process.stdin is not None
        asked = {"workspace": self.workspace, "keys": keys, "deadline": DEADLINE}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    def ends(self) -> list[str]:
        return list(json.loads(self.line()).values())

    def ask(self, *keys: str) -> list[str]:
        self.begin(*keys)
        return self.ends()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL


@contextmanager
def asker() -> Iterator[Asker]:
    """Start a process that asks; whatever happens, it is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.agentapp.llm.asking_process"],
        cwd=ROOT,
        env=os.environ | {"LLM_ALLOW_REQUESTS": "no", "LOG_LEVEL": "ERROR"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Asker(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def processes() -> Iterator[tuple[Asker, Asker]]:
    with ExitStack() as stack:
        one, two = (stack.enter_context(asker()) for _ in range(2))
        assert [one.line(), two.line()] == ["ready\n"] * 2
        yield one, two


@pytest.fixture
def pair(
    live_cast: Cast, server: ModelServer, processes: tuple[Asker, Asker]
) -> tuple[Asker, Asker]:
    """Two processes on one database that would ask the same server."""
    connect(live_cast.workspace, server)
    for each in processes:
        each.workspace = live_cast.workspace.pk
    return processes


def circuit() -> str:
    return Provider.objects.get().circuit


def opened_by(asker: Asker, server: ModelServer) -> None:
    server.always(DOWN)
    for number in range(FAILURES_TO_OPEN):
        assert asker.ask(f"down:{number}") == ["failed"]
    assert circuit() == "open"
    assert len(server.completions()) == FAILURES_TO_OPEN


def test_processes_share_what_they_know_of_a_server(
    pair: tuple[Asker, Asker], server: ModelServer
) -> None:
    one, two = pair
    opened_by(one, server)

    # The other process has never asked it, and does not now, though it would be answered.
    server.always(Behaviour())
    assert two.ask("spared:1", "spared:2", "spared:3") == ["left alone"] * 3
    assert len(server.completions()) == FAILURES_TO_OPEN

    # After the pause exactly one of all questions of both finds out.
    server.always(Behaviour(latency=1.5))
    with clock.shifted(AFTER_THE_PAUSE):
        for each in pair:
            each.begin(*(f"probe:{each.process.pid}:{number}" for number in range(6)))
        ends = one.ends() + two.ends()
        assert sorted(ends) == ["answered"] + ["left alone"] * 11
        assert len(server.completions()) == FAILURES_TO_OPEN + 1

        # Its answer is good for both.
        assert circuit() == "closed"
        server.always(Behaviour())
        assert one.ask("well:1", "well:2") + two.ask("well:3", "well:4") == ["answered"] * 4
    assert len(server.completions()) == FAILURES_TO_OPEN + 5


# Last: it kills one of the two.
def test_a_process_that_is_killed_while_it_finds_out_leaves_nothing_stuck(
    pair: tuple[Asker, Asker], server: ModelServer
) -> None:
    one, two = pair
    opened_by(one, server)

    server.always(Behaviour(hang=True))
    with clock.shifted(AFTER_THE_PAUSE):
        one.begin("probe")
        server.wait_for_requests(FAILURES_TO_OPEN + 1)
        one.kill()
        assert circuit() == "half_open"
        server.always(Behaviour())
        assert two.ask("while it may still live") == ["left alone"]
        assert len(server.completions()) == FAILURES_TO_OPEN + 1

        with clock.shifted(PAST_THE_LEASE):
            assert two.ask("after its lease") == ["answered"]
            assert circuit() == "closed"
    assert len(server.completions()) == FAILURES_TO_OPEN + 2
