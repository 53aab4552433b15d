"""The other half of the storm of `test_kills`, in a process beside it."""

from __future__ import annotations

from tests.faults.course import Begin, rage_half


def test_another_storm_of_kills_leaves_the_rooms_as_they_should_be(begin: Begin) -> None:
    rage_half(begin, start=1_000)
