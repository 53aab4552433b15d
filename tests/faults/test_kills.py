"""Whatever is killed, and wherever: nothing is lost, doubled or out of order."""

from __future__ import annotations

import re

from agentapp.foundation.faults import POINTS
from tests.bots.discord import test_storm as test_discord
from tests.bots.matrix import test_encryption_kills, test_files
from tests.bots.matrix import test_storm as test_matrix
from tests.faults import roles
from tests.faults.course import Begin, rage_half
from tests.faults.errands import ERRAND_OF
from tests.faults.victims import ROOT

# What the storms and kills of other files hit, at least once each; every one checks that itself.
ELSEWHERE = (
    *test_discord.READING,
    *test_discord.WRITING,
    *test_matrix.READING,
    *test_matrix.WRITING,
    *test_encryption_kills.READING,
    *test_encryption_kills.WRITING,
    *test_files.KEEPING,
    *test_files.SENDING,
)
_PASSED = re.compile(r"faults\.passing\(\s*\"([^\"]+)\"")


def test_every_point_has_somebody_who_passes_it() -> None:
    assert set(roles.ROLE_OF) == set(POINTS)


def test_every_point_that_the_product_passes_is_killed_at() -> None:
    passed = {
        point
        for area in ("agentapp", "bots", "dashboard")
        for path in (ROOT / area).rglob("*.py")
        for point in _PASSED.findall(path.read_text())
    }
    assert passed == set(POINTS)
    assert {*roles.WEB_POINTS, *ERRAND_OF, *ELSEWHERE} == passed


def test_a_storm_of_kills_leaves_the_rooms_as_they_should_be(begin: Begin) -> None:
    assert len(POINTS) >= 40
    rage_half(begin, start=0)
