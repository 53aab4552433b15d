"""The real program: its processes and servers are killed while members talk over the API."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from tests.agentapp.management.hosts import ROOT, Run, free_port, short_folder, started
from tests.fakes.model_server import ModelServer
from tests.faults.scale import number, report
from tests.faults.storm import answer, tokens

KILLS = number("blows", 23)  # three of 23 only empty the broker
MEMBERS = max(8, KILLS // 6)  # one person is answered ten times in ten minutes
BETWEEN_SECONDS = (0.2, 1.2)  # between two kills
RETURN_SECONDS = 40.0  # until a killed process is there again
PATIENCE_SECONDS = 180.0  # at the end, for leases to run out
FLUSH = None
# What happens to whom: a kill -9, a fast or an immediate end of the database, an empty broker.
BLOWS: tuple[tuple[str, signal.Signals | None], ...] = (
    ("worker", signal.SIGKILL),
    ("postgres", signal.SIGINT),
    ("runbots", signal.SIGKILL),
    ("valkey-server", FLUSH),
    ("uvicorn", signal.SIGKILL),
    ("postgres", signal.SIGQUIT),
    ("beat", signal.SIGKILL),
    ("valkey-server", signal.SIGKILL),
    ("postgres", signal.SIGKILL),
)


@dataclass
class Member:
    """Somebody with a token who talks in a room of their own."""

    url: str
    token: str
    room: int
    asked: list[str] = field(default_factory=list)

    def ask(self, word: str, *, more: str = "") -> None:
        """Ask until the host has taken it in, as a client does that knows its own key."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while wrong := self.tries_to_ask(word, more=more):
            if time.monotonic() > give_up:
                pytest.fail(f"{word} was never taken in: {wrong}")
            time.sleep(0.2)

    def tries_to_ask(self, word: str, *, more: str = "") -> str:
        """Ask once; return what went wrong, "" for nothing."""
        if word not in self.asked:
            self.asked.append(word)
        body = json.dumps({"text": f"Ada, what about {word}? {more}".strip()}).encode()
        try:
            self._call("POST", body, key=word)
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError as error:
            return type(error).__name__
        return ""

    def answers(self) -> list[str]:
        """Return the words that were answered, in the order of the room."""
        try:
            page = self._call("GET")
        except (OSError, urllib.error.HTTPError):
            return []
        said = [each for each in page["items"] if each["author"]["kind"] == "agent"]
        return [word for each in reversed(said) for word in tokens(each["text"])]

    def _call(self, method: str, body: bytes | None = None, key: str = "") -> dict[str, list[dict]]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(  # noqa: S310 - our own host
            f"{self.url}/api/v1/rooms/{self.room}/messages", body, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - our own host
            found: dict[str, list[dict]] = json.load(response)
        return found


def environment_of(run: Run) -> dict[str, str]:
    """Return what the host's own processes are told."""
    environ = Path(f"/proc/{run.child_ids()['worker']}/environ").read_bytes().decode()
    return dict(part.partition("=")[::2] for part in environ.split("\0") if part)


def settled_in(run: Run, *, url: str, model: str) -> list[Member]:
    """Let members move into the host."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.settling_in", model, str(MEMBERS)],
        cwd=ROOT,
        env=os.environ | environment_of(run),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [Member(url, each["token"], each["room"]) for each in json.loads(done.stdout)]


def strike(run: Run, waiting: list[tuple[str, signal.Signals | None]], broker: str) -> str:
    """Deal the blow whose turn it is; who is not back yet keeps its turn for later.

    Returns what was struck: the process, or "flush".
    """
    give_up = time.monotonic() + RETURN_SECONDS
    while time.monotonic() < give_up:
        there = run.child_ids()
        blow = next((blow for blow in waiting if blow[0] in there), None)
        if blow is not None:
            waiting.remove(blow)
            waiting.append(blow)
            name, how = blow
            if how is FLUSH:
                empty(broker)
                return "flush"
            os.kill(there[name], how)
            return name
        time.sleep(0.05)
    pytest.fail(f"nothing of {waiting} came back:\n{run.text()[-2000:]}")


def empty(broker: str) -> None:
    """Throw away everything that the broker holds; one that is just starting holds nothing."""
    with suppress(redis.RedisError), redis.from_url(broker) as connection:
        connection.flushall()


@contextmanager
def last_words_of(logs: Path) -> Iterator[None]:
    """Where the block fails, show how each log ends."""
    try:
        yield
    except BaseException:
        for log in sorted(logs.glob("*.log")):
            print(f"--- {log.name}", log.read_text(errors="replace")[-3000:], sep="\n")  # noqa: T201
        raise


def test_whatever_is_killed_every_question_is_answered_once_and_in_order() -> None:
    rng = random.Random(20)  # noqa: S311 - it only spreads the kills
    waiting = list(BLOWS)
    port = free_port()
    with ModelServer() as model, short_folder() as folder:
        model.reply = answer
        with started(ROOT, folder / "data", port=port) as run:
            run.wait_until_ready(seconds=120)
            url = f"http://localhost:{port}"
            members = settled_in(run, url=url, model=model.base_url)
            broker = environment_of(run)["REDIS_URL"]
            dealt: Counter[str] = Counter()
            for n in range(KILLS):
                with last_words_of(folder / "data" / "logs"):
                    members[n % MEMBERS].ask(f"q{n:04}")
                time.sleep(rng.uniform(*BETWEEN_SECONDS))
                dealt[strike(run, waiting, broker)] += 1
            give_up = time.monotonic() + PATIENCE_SECONDS
            while any(set(m.asked) - set(m.answers()) for m in members):
                if time.monotonic() > give_up:
                    break
                time.sleep(0.5)
            found = {m.room: m.answers() for m in members}
            assert run.process.poll() is None, run.text()[-2000:]

    doubled = [word for said in found.values() for word, n in Counter(said).items() if n > 1]
    report(
        processes_killed=dealt.total() - dealt["postgres"] - dealt["flush"],
        database_restarts=dealt["postgres"],
        broker_flushes=dealt["flush"],
        restart_events=KILLS,
        restart_lost=sum(len(set(m.asked) - set(found[m.room])) for m in members),
        restart_doubled=len(doubled),
    )
    assert doubled == []
    assert found == {m.room: m.asked for m in members}
