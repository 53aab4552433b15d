"""How trust grows and fades."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentapp.relations import rules
from agentapp.relations.rules import Bond

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def exchanged(bond: Bond, times: int, *, apart: timedelta = HOUR) -> Bond:
    start = bond.last_contact_at or NOW
    for n in range(1, times + 1):
        bond = rules.after_exchange(bond, now=start + n * apart, is_monologue=False)
    return bond


@pytest.mark.parametrize(
    ("trust", "level"), [(-50, 1), (0, 1), (19.9, 1), (20, 2), (40, 3), (60, 4), (80, 5), (100, 5)]
)
def test_levels(trust: float, level: int) -> None:
    assert rules.level(trust) == level


def test_a_day_brings_at_most_three() -> None:
    bond = exchanged(Bond(), 9)
    assert (bond.trust, bond.exchanges) == (3, 9)
    tomorrow = rules.after_exchange(bond, now=NOW + timedelta(days=1), is_monologue=False)
    assert tomorrow.trust == 4


def test_many_messages_of_one_talk_count_once() -> None:
    assert exchanged(Bond(), 50, apart=timedelta(seconds=10)).trust == 1


def test_a_monologue_brings_nothing() -> None:
    bond = rules.after_exchange(Bond(), now=NOW, is_monologue=True)
    assert (bond.trust, bond.exchanges) == (0, 1)


def test_trust_stays_for_thirty_days_and_then_fades_slowly() -> None:
    bond = Bond(trust=40, last_contact_at=NOW, exchanges=1)
    after = [rules.current_trust(bond, now=NOW + timedelta(days=days)) for days in (30, 31, 150)]
    assert after[0] == 40
    assert 39 < after[1] < 40
    assert after[2] == pytest.approx(20)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.booleans()), max_size=60))
def test_trust_stays_in_bounds_and_never_jumps(steps: list[tuple[int, bool]]) -> None:
    bond, now = Bond(trust=99), NOW
    for minutes, is_monologue in steps:
        now += timedelta(minutes=minutes)
        after = rules.after_exchange(bond, now=now, is_monologue=is_monologue)
        assert -100 <= after.trust <= 100
        assert after.trust - bond.trust <= rules.GAIN_PER_EXCHANGE
        assert after.gained_today <= rules.GAIN_PER_DAY
        bond = after


@pytest.mark.parametrize(
    ("bond", "words"),
    [
        (None, "never talked"),
        (Bond(exchanges=1, last_contact_at=NOW), "hardly know"),
        (Bond(trust=45, exchanges=20, last_contact_at=NOW - timedelta(days=3)), "a friend"),
        (Bond(trust=-30, exchanges=5, last_contact_at=NOW), "difficult"),
        (Bond(trust=90, exchanges=5, last_contact_at=NOW - timedelta(days=20)), "2 weeks ago"),
    ],
)
def test_a_bond_is_told_in_words_and_never_as_a_number(bond: Bond | None, words: str) -> None:
    told = rules.in_words(bond, now=NOW)
    assert words in told
    assert not any(number in told for number in ("45", "90", "-30"))
