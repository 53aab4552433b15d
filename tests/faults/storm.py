"""A storm: members talk, processes are killed at named points, then the rooms are read."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from agentapp.conversation.models import Message
from agentapp.drafts.models import Outbound
from agentapp.foundation import clock
from agentapp.identity.models import Agent, Room, Seat, User
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.rooms import create_room, join_room, set_reply_mode
from agentapp.identity.services.tenancy import create_workspace, give_seat
from agentapp.moderation import services as moderation
from agentapp.presence.services import add_agent
from tests.cast import SPEC, make_user
from tests.fakes.connecting import connect, give_budget
from tests.fakes.model_server import ModelServer
from tests.faults import roles
from tests.faults.beside import Beside
from tests.faults.victims import Nursery

KILLS_PER_ROOM = 100  # a member may ask an agent 60 times a day
LEASE_PASSES = 25  # seconds; longer than the leases of lanes and pieces
BACK_OFF_PASSES = 60  # seconds; longer than a piece waits that did not arrive
RACERS = 3  # processes of each role
# Where everybody dies who touches a certain message; the last of them is the last one to try.
DEADLY = ("lane.claimed", "decision.written", "turn.begun", "prompt.assembled", "call.opened")
# What a text may hold to harm whoever reads it.
HOSTILE = "\x00 \ud800 \u202e \u200b \x1b[2J {% now %} </untrusted>"
AT_ONCE = 2  # rooms in which something is asked before processes are killed
LEAVE_IT_OPEN = {"piece.claimed", "piece.leaving"}  # so that somebody has to look for the piece
LIVES = 4  # processes killed over the same piece of work; one more has to be left
GONE_SECONDS = 5.0
_AMID = """
SELECT 1 FROM pg_stat_activity
WHERE usename = current_user AND pid <> pg_backend_pid() AND xact_start IS NOT NULL LIMIT 1
"""
ROUNDS = 40  # of undisturbed work until nothing is left
_TOKEN = re.compile(r"q\d{4}")
_ANSWER = re.compile(r'<untrusted kind="answer">(.*?)</untrusted>', re.DOTALL)


@dataclass
class Place:
    """One room with its member, and what was asked there in order."""

    room: Room
    member: User
    agent: Agent
    waits_for_owner: bool
    asked: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What the rooms show. Everything but `events` should be nothing."""

    events: int
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    reordered: tuple[str, ...]
    unwanted: tuple[str, ...]  # what was refused, taken back or held back
    after_suspension: int  # or by somebody who had lost the login

    @property
    def is_clean(self) -> bool:
        """Say whether nothing went wrong."""
        wrong = self.lost or self.doubled or self.reordered or self.unwanted
        return not (wrong or self.after_suspension)


def answer(body: dict[str, Any]) -> str:
    """Answer like a model that says which questions it was asked; it repeats nothing older."""
    asked = _ANSWER.search(body["messages"][-1]["content"])
    return f"Answer to {' '.join(_TOKEN.findall(asked.group(1) if asked else ''))}."


class Storm:
    """Rooms, half of which wait for their owner, and one agent that answers in all of them."""

    def __init__(self, *, server: ModelServer, nursery: Nursery, kills: int) -> None:
        server.reply = answer
        self._nursery = nursery
        self._asked = 0
        self._late = 0
        self._strikes = 0
        self.kills: Counter[str] = Counter()
        self.survivors: list[str] = []
        self._owner = make_user("root")
        self._workspace = create_workspace(user=self._owner, name="Storm")
        connect(self._workspace, server)
        give_budget(self._workspace, 10**12)
        self._agent = self._make_agent("Ada")
        self._stopped = self._make_agent("Bo")
        self.places = [
            self._open(f"Room {n}", self._agent, mode="own" if n % 2 else "approve")
            for n in range(2 * AT_ONCE * (1 + kills // (2 * AT_ONCE * KILLS_PER_ROOM)))
        ]
        self._stop_place = self._open("Stops", self._stopped, mode="own")
        self._deadly: set[str] = set()
        self._poisoned = self._open("Poison", self._make_agent("Di"), mode="own")
        cards = self._make_agent("Cy")
        self._beside = Beside(
            self, agent=cards, room=self._open("Cards", cards, mode="approve").room
        )
        nursery.warm(**self._question(self.places[0]))

    def _make_agent(self, name: str) -> Agent:
        return create_agent(owner=self._owner, workspace=self._workspace, name=name, spec=SPEC)

    def _open(self, name: str, agent: Agent, *, mode: str) -> Place:
        member = make_user(f"member of {name}")
        give_seat(user=member, workspace=self._workspace, role=Seat.Role.MEMBER)
        room = create_room(
            workspace=self._workspace, name=name, visibility="public", by=self._owner
        )
        set_reply_mode(room_id=room.pk, mode=mode, by=self._owner)
        join_room(room_id=room.pk, user=member)
        add_agent(room_id=room.pk, agent_id=agent.pk, by=self._owner)
        return Place(room, member, agent, waits_for_owner=mode == "approve")

    def kill_at(self, *points: str) -> None:
        """Ask something, and kill one process after the other at these points on the answer's way.

        Points in their order, at most `LIVES` of one role: work that was cut off more often than
        that is given up. Whatever a killed process leaves, the next one takes up.
        """
        by_role = {role: [p for p in points if roles.ROLE_OF[p] == role] for role in roles.ROLES}
        asked = [
            self._question(place) for place in self._next_places(approves=bool(by_role["approve"]))
        ]
        self._kill_each(by_role["say"], "say", **asked[0])
        for words in asked:
            roles.say(**words)  # what a page does that got no answer
        self._kill_each(by_role["work"], "work")
        roles.work()
        self._kill_each(by_role["approve"], "approve")
        roles.approve()
        self.let_pass(6)  # seconds in which an approval can be undone
        for point in by_role["send"]:
            self.kill(point, "send")
            if point in LEAVE_IT_OPEN:
                self._kill_each(by_role["look"], "look")
            roles.look_back()
            self.let_pass(BACK_OFF_PASSES)

    def _kill_each(self, points: Iterable[str], role: str, **arguments: object) -> None:
        for point in points:
            self.kill(point, role, **arguments)

    def kill_beside(self, point: str) -> None:
        """Cut off what an owner, a moderator or the clock does at this point."""
        self._beside.kill_at(point)

    def ask(self) -> dict[str, Any]:
        """Return a question that has to be answered, in one of the rooms."""
        self._strikes += 1
        return self._question(self.places[self._strikes % len(self.places)])

    def stop_amid_sending(self) -> None:
        """Suspend an agent while a sender is at work; count what appears after that returned."""
        roles.say(**self._question(self._stop_place))
        roles.work()
        sender = self._nursery.start("send")
        self._wait_for_a_sender()
        assert not self._nursery.run("suspend", agent_id=self._stopped.pk).failed
        returned = clock.now()
        assert not self._nursery.wait(sender).failed
        self._late += self._said_by(self._stopped).filter(created_at__gt=returned).count()
        moderation.lift(agent_id=self._stopped.pk, by=None)

    def send_without_right(self) -> None:
        """Let somebody try to send whose leases have ended; count what appears of it."""
        before = self._said_by(self._stopped).count()
        roles.say(**self._question(self._stop_place))
        roles.work()
        assert not self._nursery.run("send_without_right").failed
        self._late += self._said_by(self._stopped).count() - before
        roles.send()

    def poison(self) -> None:
        """Say what everybody dies of who touches it; what is said after it has to be answered."""
        words = self._question(self._poisoned)
        self._deadly.add(self._poisoned.asked.pop())
        roles.say(**words)
        for point in DEADLY:
            self.kill(point, "work")
        roles.say(**self._question(self._poisoned, more=HOSTILE))
        roles.work()

    def race(self, *points: str) -> None:
        """Let several processes of a kind go for the same work at once; one may die at it."""
        asked = [self._question(place) for place in self._next_places(approves=True)]
        for words in asked:
            self._at_once(points, "say", **words)
            roles.say(**words)
        for role in ("work", "approve", "send"):
            self._at_once(points, role)
            self.let_pass(LEASE_PASSES)
            roles.ROLES[role]()  # what the dead one held; work is given up after five deaths

    def _at_once(self, points: Iterable[str], role: str, **arguments: object) -> None:
        """Start some processes together; one of them is to die at a point, if it comes there."""
        point = next((point for point in points if roles.ROLE_OF[point] == role), "")
        started = [self._nursery.start(role, point=point, **arguments)]
        started += [self._nursery.start(role, **arguments) for _ in range(RACERS - 1)]
        ended = [self._nursery.wait(pid) for pid in started]
        if ended[0].killed:
            self.kills[point] += 1
        self.survivors += [f"{role} failed" for one in ended if one.failed]
        _until_nobody_is_amid_something()

    def _wait_for_a_sender(self) -> None:
        """Wait until a piece of the agent is on its way, or was."""
        give_up = time.monotonic() + 3
        queued = Outbound.objects.filter(agent=self._stopped, state=Outbound.State.QUEUED)
        while queued.exists() and time.monotonic() < give_up:
            time.sleep(0.002)

    def calm(self, *, rounds: int = ROUNDS) -> Found:
        """Let everything that is left be done, and read the rooms."""
        for _ in range(rounds):
            self.let_pass(LEASE_PASSES)
            roles.work()
            roles.approve()
            roles.send()
            if not self._missing():
                break
        return self.found()

    def found(self) -> Found:
        """Read what members see in the rooms; no table of drafts, lanes or pieces."""
        doubled, reordered = [], []
        for place in self._talks:
            answered = self._answered(place)
            doubled += [token for token, count in Counter(answered).items() if count > 1]
            once = list(dict.fromkeys(answered))
            if once != [token for token in place.asked if token in set(once)]:
                reordered.append(str(place.room))
        missing, twice, unwanted = self._beside.found()
        return Found(
            events=self._asked,
            lost=(*self._missing(), *missing),
            doubled=(*doubled, *twice),
            reordered=tuple(reordered),
            unwanted=(*unwanted, *self._deadly.intersection(self._answered(self._poisoned))),
            after_suspension=self._late,
        )

    @property
    def _talks(self) -> tuple[Place, ...]:
        return (*self.places, self._poisoned)

    def _next_places(self, *, approves: bool) -> list[Place]:
        """Return some rooms in turn; where an approval is wanted one that needs it comes first."""
        self._strikes += 1
        first = self._strikes * AT_ONCE
        some = [self.places[(first + n) % len(self.places)] for n in range(AT_ONCE)]
        if approves:
            some.sort(key=lambda place: not place.waits_for_owner)
        return some

    def _question(self, place: Place, *, more: str = "") -> dict[str, Any]:
        self._asked += 1
        token = f"q{self._asked:04}"
        place.asked.append(token)
        return {
            "user_id": place.member.pk,
            "room_id": place.room.pk,
            "text": f"{place.agent.name}, what about {token}? {more}".strip(),
            "key": token,
        }

    def kill(self, point: str, role: str, **arguments: object) -> None:
        """Let a process do something and die at a point of it."""
        ended = self._nursery.run(role, point=point, **arguments)
        if ended.killed:
            self.kills[point] += 1
        else:
            self.survivors.append(f"{point}{' (failed)' if ended.failed else ''}")
        _until_nobody_is_amid_something()
        self.let_pass(LEASE_PASSES)

    @staticmethod
    def let_pass(seconds: float) -> None:
        """Move the clock of every process."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)", [seconds]
            )

    def _said_by(self, agent: Agent) -> Any:
        return Message.objects.filter(author__agent=agent, is_known=True, deleted_at__isnull=True)

    def _answered(self, place: Place) -> list[str]:
        said = self._said_by(place.agent).filter(room=place.room).order_by("pk")
        return [token for text in said.values_list("text", flat=True) for token in tokens(text)]

    def _missing(self) -> list[str]:
        return [
            token
            for place in self._talks
            for token in sorted(set(place.asked) - set(self._answered(place)))
        ]


def _until_nobody_is_amid_something() -> None:
    """Wait until the database has noticed that a process is gone: then its locks are free.

    Whoever comes a moment earlier passes over locked rows, as it should, and finds them later.
    """
    give_up = time.monotonic() + GONE_SECONDS
    while time.monotonic() < give_up:
        with connection.cursor() as cursor:
            cursor.execute(_AMID)
            if not cursor.fetchall():
                return
        time.sleep(0.005)


def tokens(text: str) -> Iterable[str]:
    """Return the questions that a text answers."""
    return _TOKEN.findall(text)
