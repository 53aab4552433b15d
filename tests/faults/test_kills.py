"""Whatever is killed, and wherever: nothing is lost, doubled or out of order."""

from __future__ import annotations

from agentapp.foundation.faults import POINTS
from tests.faults import roles
from tests.faults.conftest import Begin
from tests.faults.errands import ERRAND_OF
from tests.faults.storm import rage

KILLS = 500  # `make faults` goes on for longer
EACH = 8


def test_every_point_has_somebody_who_passes_it() -> None:
    assert set(roles.ROLE_OF) == set(POINTS)


def test_a_storm_of_kills_leaves_the_rooms_as_they_should_be(begin: Begin) -> None:
    with begin(kills=KILLS) as storm:
        rage(storm, kills=KILLS)
        found = storm.calm()

    assert storm.survivors == []
    assert set(storm.kills) == {*roles.WEB_POINTS, *ERRAND_OF}
    assert len(POINTS) >= 40
    assert min(storm.kills.values()) >= EACH
    assert storm.kills.total() >= KILLS
    assert found.is_clean, found
