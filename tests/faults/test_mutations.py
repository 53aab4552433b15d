"""Without one of its guards the product fails the same storm: so the storm can see."""

from __future__ import annotations

import pytest

from tests.faults.course import Begin
from tests.faults.mutations import MUTATIONS

SHOWN_BY = {
    "no_dedupe_key": (("piece.left", "piece.marked"), "doubled"),
    "no_client_key": (("intake.committed",), "doubled"),
    "done_before_the_work": (("turn.begun", "call.opened"), "lost"),
}
# Seen where they belong: in the storms over a homeserver and over Discord.
ON_MATRIX = {"cursor_before_the_events", "no_read_back", "ratchets_not_kept"}
ON_DISCORD = {"no_nonce", "mark_before_the_messages"}
KILLS = 4
STOPS = 5


@pytest.mark.parametrize("mutation", list(SHOWN_BY))
def test_a_missing_guard_is_seen(begin: Begin, mutation: str) -> None:
    points, harm = SHOWN_BY[mutation]
    with begin(kills=KILLS, mutation=mutation) as storm:
        for n in range(KILLS):
            storm.kill_at(points[n % len(points)])
        found = storm.calm(rounds=3)
    assert getattr(found, harm)


def test_a_suspension_that_does_not_wait_is_seen(begin: Begin) -> None:
    with begin(kills=1, mutation="no_drain") as storm:
        for _ in range(STOPS):
            storm.stop_amid_sending()
        assert storm.found().after_suspension


@pytest.mark.parametrize("mutation", ["", "no_lease_fencing"])
def test_somebody_who_lost_the_login_is_seen_to_send(begin: Begin, mutation: str) -> None:
    with begin(kills=1, mutation=mutation) as storm:
        storm.send_without_right()
        assert bool(storm.found().after_suspension) == bool(mutation)


def test_every_mutation_is_tried() -> None:
    assert {*SHOWN_BY, *ON_MATRIX, *ON_DISCORD, "no_drain", "no_lease_fencing"} == set(MUTATIONS)
