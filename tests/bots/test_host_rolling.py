"""Processes are replaced one after the other while agents go on talking: nobody notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db.models import F

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import Wish, propose
from agentapp.foundation import clock
from agentapp.identity.models import Account, Agent, Room, Runner
from agentapp.identity.services import leases
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.rooms import create_room
from agentapp.presence.services import add_agent
from tests.cast import SPEC, Cast

ROOT = Path(__file__).resolve().parents[2]
AGENTS = 8
ROLLS = 2
PATIENCE_SECONDS = 60.0
TAKE_OVER_SECONDS = 30.0


class Talk:
    """Agents that say one thing after the other, each in a room of its own."""

    def __init__(self, cast: Cast) -> None:
        self.said = 0
        Account.objects.all().delete()
        self._places: list[tuple[Agent, Room]] = []
        for n in range(AGENTS):
            agent = create_agent(owner=cast.root, workspace=cast.workspace, name=f"A{n}", spec=SPEC)
            room = create_room(
                workspace=cast.workspace, name=f"R{n}", visibility="public", by=cast.root
            )
            add_agent(room_id=room.pk, agent_id=agent.pk, by=cast.root)
            self._places.append((agent, room))
        Agent.objects.update(approval_rules={"message": "auto"})

    def go_on(self) -> None:
        """Let the next of them say the next thing."""
        agent, room = self._places[self.said % AGENTS]
        propose(
            Wish(turn=None, agent_id=agent.pk, kind="message", room_id=room.pk, text=f"{self.said}")
        )
        self.said += 1

    def heard(self) -> list[list[int]]:
        return [
            [
                int(text)
                for text in Message.objects.filter(room=room, author__agent=agent)
                .order_by("pk")
                .values_list("text", flat=True)
            ]
            for agent, room in self._places
        ]

    def expected(self) -> list[list[int]]:
        return [list(range(n, self.said, AGENTS)) for n in range(AGENTS)]

    def until(self, is_so: Callable[[], bool], *, goes_on: bool = True) -> float:
        """Go on until something holds; return how many seconds that took."""
        begun = time.monotonic()
        while not is_so():
            assert time.monotonic() < begun + PATIENCE_SECONDS
            if goes_on:
                self.go_on()
            time.sleep(0.05)
        return time.monotonic() - begun


@contextmanager
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Run one `bots` process."""
    running = subprocess.Popen(
        [sys.executable, "manage.py", "runbots"],
        cwd=ROOT,
        env=os.environ | {"LOG_LEVEL": "ERROR"},
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def alive(count: int) -> Callable[[], bool]:
    return lambda: Runner.objects.filter(alive_until__gt=clock.now()).count() == count


def everybody_has_some() -> bool:
    held = Account.objects.filter(lease_until__gt=clock.now(), health=Account.Health.OK)
    holders = list(held.values_list("lease_holder", flat=True))
    return len(holders) == AGENTS and len(set(holders)) == Runner.objects.count()


def have_stayed() -> None:
    """Let the processes that are there count for each other."""
    Runner.objects.update(since=F("since") - timedelta(seconds=leases.SETTLED_SECONDS))


def let_pass(seconds: float) -> None:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(
            "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)", [seconds]
        )


@pytest.fixture
def talk(live_cast: Cast) -> Iterator[Talk]:
    yield Talk(live_cast)
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("UPDATE greenroom_clock SET shift = '0'")


def test_restarts_one_after_the_other_lose_and_double_nothing(talk: Talk) -> None:
    with ExitStack() as stack:
        running = [stack.enter_context(process()) for _ in range(2)]
        talk.until(alive(2))
        for _ in range(ROLLS):
            have_stayed()
            talk.until(everybody_has_some)
            running.append(stack.enter_context(process()))
            talk.until(alive(3))
            oldest = running.pop(0)
            oldest.send_signal(signal.SIGTERM)
            talk.until(alive(2))
            assert oldest.wait(10) == 0

        # The last of them gets no chance to say that it goes.
        running[0].kill()
        let_pass(leases.LEASE_SECONDS)
        took = leases.LEASE_SECONDS + talk.until(
            lambda: Account.objects.filter(lease_until__gt=clock.now()).count() == AGENTS
        )
        let_pass(60)  # for what it had on its way to be looked for
        talk.until(
            lambda: not Draft.objects.exclude(status=Draft.Status.PUBLISHED).exists(),
            goes_on=False,
        )

    assert took < TAKE_OVER_SECONDS
    assert talk.said > 50
    assert talk.heard() == talk.expected()
    assert not Outbound.objects.exclude(state=Outbound.State.SENT).exists()
