"""Kills of the process that serves a Matrix login; only the homeserver is asked what arrived."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection

from agentapp.drafts.models import Draft
from bots.bridge import Bridge
from tests.bots.matrix.world import Member, answers, login_agent, matrix_host, record_of
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse
from tests.faults.scale import number, report
from tests.faults.victims import Nursery, nursery

pytestmark = pytest.mark.usefixtures("clock_as_it_was")
READING = ("batch.written", "batch.committed")
WRITING = ("claim.written", "piece.leaving", "piece.left", "piece.marked", "piece.settled")
BURST = 500  # messages during a cut; a sync shows the last hundred of them
CUTS = number("bursts", 1)
EACH = 10  # kills while reading
LATER = 4  # during each of the others
SECONDS = 60.0  # that a victim gets to reach its point; after a burst it reads for a while
FIRST_SECONDS = 3.0  # for the first sync
LEASES_PASS = 20.0  # seconds


@dataclass
class Found:
    """What was said on either side, and what the homeserver and the record show of it."""

    said: list[str]
    recorded: list[str]
    answered: list[str]
    heard: list[str]


@dataclass
class Storm:
    """Ann talks while the process that serves Ada's login is killed again and again."""

    cast: Cast
    ann: Member
    ada: Member
    room: str

    def rage(
        self, victims: Nursery, points: tuple[str, ...], *, burst: int = BURST, bursts: int = 1
    ) -> Found:
        said, answered = [], []
        assert not victims.run("serve", seconds=FIRST_SECONDS).failed
        for n, point in enumerate(points):
            for place in range(burst if n < bursts else LATER):
                said.append(f"{n}.{place}")
                self.ann.says(self.room, said[-1])
            answered.append(f"answer {n}")
            last = answers(self.cast.ada, self.room, answered[-1])
            assert victims.run("serve", point=point, seconds=SECONDS).killed, point
            self._let_leases_pass()
        said.append("the end")
        self.ann.says(self.room, said[-1])
        run(lambda bridge: self._calm(bridge, last, said[-1]))
        own = self.ada.user_id
        return Found(said, record_of(self.room), answered, self.ann.hears(self.room, own))

    async def _calm(self, bridge: Bridge, last_draft: Draft, last_word: str) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, lambda: last_word in record_of(self.room), True, seconds=30)
            await eventually(bridge, lambda: status_of(last_draft), "published", seconds=30)

    @staticmethod
    def _let_leases_pass() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)",
                [LEASES_PASS],
            )


@pytest.fixture
def storm(live_cast: Cast, synapse: Synapse) -> Storm:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    room = ann.opens(ada.user_id, name="Tea")
    ada.joins(room)
    login_agent(live_cast, live_cast.ada, synapse, ada)
    return Storm(live_cast, ann, ada, room)


def heard_by_people(found: Found) -> list[str]:
    return [word for word in found.recorded if word in set(found.said)]


def test_bursts_during_cuts_and_answers_under_kills_are_there_once_and_in_order(
    storm: Storm, tmp_path: Path
) -> None:
    with nursery(log=tmp_path / "log") as victims:
        found = storm.rage(victims, (*READING * EACH, *WRITING), bursts=CUTS)
    heard = heard_by_people(found)
    report(
        bursts=CUTS,
        burst_messages=len(found.said),
        burst_lost=len(set(found.said) - set(heard)),
        burst_doubled=len(heard) - len(set(heard)),
    )
    assert heard == found.said
    assert found.heard == found.answered


@pytest.mark.parametrize(
    ("mutation", "points"),
    [("cursor_before_the_events", READING[:1]), ("no_read_back", ("piece.left",))],
)
def test_without_its_guard_the_same_storm_shows_harm(
    storm: Storm, tmp_path: Path, mutation: str, points: tuple[str, ...]
) -> None:
    with nursery(log=tmp_path / "log", mutation=mutation) as victims:
        found = storm.rage(victims, points, burst=LATER)
    lost = heard_by_people(found) != found.said
    doubled = found.heard != found.answered
    assert (lost, doubled) == (mutation == "cursor_before_the_events", mutation == "no_read_back")
