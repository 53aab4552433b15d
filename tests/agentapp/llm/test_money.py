"""Prices, estimates, shares and days: pure arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentapp.llm.rates import listed_rates
from agentapp.llm.rules import days, money
from agentapp.llm.rules.money import FREE, Level, Price

PRICE = Price(2_000_000, 8_000_000, 500_000)


@pytest.mark.parametrize(
    ("tokens_in", "tokens_out", "cached", "expected"),
    [
        (0, 0, 0, 0),
        (1, 0, 0, 2),
        (1000, 100, 0, 2800),
        (1000, 100, 1000, 1300),
        (1000, 0, 5000, 500),  # no more can be cached than was sent
    ],
)
def test_a_cost_is_the_sum_of_its_tokens(
    tokens_in: int, tokens_out: int, cached: int, expected: int
) -> None:
    cost = money.cost_micros(
        PRICE, tokens_in=tokens_in, tokens_out=tokens_out, tokens_cached=cached
    )
    assert cost == expected


def test_a_cost_is_rounded_up() -> None:
    assert money.cost_micros(Price(1, 0, 0), tokens_in=1, tokens_out=0) == 1
    assert money.cost_micros(FREE, tokens_in=10**9, tokens_out=10**9) == 0
    assert FREE.is_free
    assert not PRICE.is_free


@given(st.text(st.characters(codec=None), max_size=300))
def test_the_most_is_never_less_than_the_likely(text: str) -> None:
    assert money.most_tokens([text]) >= money.likely_prompt_tokens([text]) >= 0
    assert money.most_tokens([text]) >= len(text.split())


@pytest.mark.parametrize(
    ("text", "likely", "most"),
    [("", 0, 16), ("abcdef", 2, 19), ("\u4f60\u597d", 3, 22), ("a\ud800", 3, 20)],
)
def test_estimates_of_known_texts(text: str, likely: int, most: int) -> None:
    assert (money.likely_tokens(text), money.most_tokens([text])) == (likely, most)


def test_an_answer_is_bounded_by_its_limit_and_by_64_kilobytes() -> None:
    assert money.most_answer_bytes(10) == 10 * 32 + 1024
    assert money.most_answer_bytes(10**6) == 64 * 1024


def test_the_background_has_30_percent_and_stops_at_80_percent_of_it() -> None:
    assert money.background_limits(1_000_000) == (240_000, 300_000)


@pytest.mark.parametrize(
    ("spent", "reserved", "marked", "expected"),
    [
        (0, 0, False, Level.OK),
        (949_999, 0, False, Level.OK),
        (900_000, 50_000, False, Level.LOW),
        (0, 1_000_000, False, Level.LOW),
        (1_000_000, 0, False, Level.EXHAUSTED),
        (10, 0, True, Level.EXHAUSTED),
    ],
)
def test_bands_of_a_day(spent: int, reserved: int, marked: bool, expected: Level) -> None:
    found = money.level(
        day_micros=1_000_000, spent_micros=spent, reserved_micros=reserved, is_marked=marked
    )
    assert found is expected


def test_the_strictest_level_counts() -> None:
    assert money.worst([Level.OK, Level.EXHAUSTED, Level.LOW]) is Level.EXHAUSTED
    assert money.worst([]) is Level.OK


def test_price_patterns_go_from_exact_to_anything() -> None:
    assert money.price_patterns("openai/GPT-4o") == [
        "gpt-4o", "gpt-4o*", "gpt-4*", "gpt-*", "gpt*", "gp*", "g*", "*",
    ]  # fmt: skip


def test_the_price_list_names_each_pattern_once_with_a_date_and_a_source() -> None:
    rows = listed_rates()
    assert len({row.model for row in rows}) == len(rows)
    assert all(row.source and row.effective_from <= date(2026, 11, 30) for row in rows)
    # Vectors are all answer and no words: only what goes in costs something.
    assert all(row.input_micros > 0 for row in rows)
    talking = [row for row in rows if not row.model.startswith("text-embedding")]
    assert all(row.input_micros <= row.output_micros for row in talking)
    assert all(0 < row.cached_micros <= row.input_micros for row in rows)
    assert all(row.model == row.model.lower() and "*" not in row.model[:-1] for row in rows)


def test_a_day_is_the_one_on_the_workspaces_wall() -> None:
    now = datetime(2026, 6, 15, 13, 0, tzinfo=UTC)
    assert days.local_day(now, "Pacific/Auckland") == date(2026, 6, 16)
    assert days.local_day(now, "America/New_York") == date(2026, 6, 15)
    assert days.local_day(now, "Nowhere/Such") == date(2026, 6, 15)
    assert days.local_day(now, "../../etc/passwd") == date(2026, 6, 15)


def test_a_day_starts_at_local_midnight_in_summer_and_winter() -> None:
    summer = days.day_start(date(2026, 7, 1), "Europe/Berlin").astimezone(UTC)
    winter = days.day_start(date(2026, 1, 1), "Europe/Berlin").astimezone(UTC)
    assert (summer.hour, winter.hour) == (22, 23)


def test_the_last_days_end_with_today() -> None:
    assert days.last_days(date(2026, 3, 1), 3) == [
        date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1),
    ]  # fmt: skip
