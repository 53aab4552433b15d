from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agentapp.demo import rules
from agentapp.demo.rules import Move, Standing

NOW = datetime(2030, 5, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def standing(
    *,
    messages: int = 10,
    watched: timedelta | None = SECOND,
    due: timedelta = -SECOND,
    left: timedelta = timedelta(minutes=5),
) -> Standing:
    return Standing(
        messages=messages,
        watched_at=None if watched is None else NOW - watched,
        next_line_at=NOW + due,
        ends_at=NOW + left,
    )


@pytest.mark.parametrize(
    ("stands", "move"),
    [
        (standing(), Move.SPEAK),
        (standing(due=SECOND), Move.WAIT),
        (standing(watched=None), Move.WAIT),
        (standing(watched=timedelta(seconds=19)), Move.SPEAK),
        (standing(watched=timedelta(seconds=20)), Move.WAIT),
        (standing(messages=199), Move.SPEAK),
        (standing(messages=200), Move.STOP),
        (standing(left=timedelta(0)), Move.STOP),
        (standing(left=timedelta(0), watched=None), Move.WAIT),
    ],
)
def test_the_demo_speaks_only_while_watched_and_within_its_bounds(
    stands: Standing, move: Move
) -> None:
    assert rules.decide(stands, now=NOW).move is move


def test_time_that_nobody_watched_does_not_count() -> None:
    ends = NOW + timedelta(minutes=5)
    hour_ago = NOW - timedelta(hours=1)
    later = rules.prolonged_end(ends, watched_at=hour_ago, now=NOW)
    assert later == ends + timedelta(hours=1) - rules.WATCHED_FOR


def test_watching_on_moves_no_end() -> None:
    ends = NOW + timedelta(minutes=5)
    assert rules.prolonged_end(ends, watched_at=NOW - 5 * SECOND, now=NOW) == ends


def test_lines_run_through_once_and_then_go_round() -> None:
    order = [rules.line_index(n, count=5, loop_from=3) for n in range(9)]
    assert order == [0, 1, 2, 3, 4, 3, 4, 3, 4]


def test_the_first_lines_come_quickly_and_later_ones_at_reading_pace() -> None:
    first = rules.pause_before(text="x" * 100, n=1, after_question=True)
    later = rules.pause_before(text="x" * 100, n=10, after_question=False)
    asked = rules.pause_before(text="x" * 100, n=10, after_question=True)
    assert first <= timedelta(seconds=2)
    assert first < later < asked
    assert rules.pause_before(text="x" * 9999, n=10, after_question=False) <= rules.LONGEST_PAUSE
