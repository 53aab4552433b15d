"""Discord's gateway breaks in every way, from a second to two hours: nothing is missed by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from unittest import mock

import pytest
from discord import utils
from django.db import connection

from bots import delivery, host
from bots.discord import gateway
from bots.discord.backfill import Backfill
from bots.discord.book import Book, Mark
from tests.bots.discord.gaps import FRESH, KINDS, Gap, GapStorm, gaps
from tests.cast import Cast
from tests.fakes.discord import Discord
from tests.fakes.model_server import ModelServer
from tests.faults.roles import HASTE
from tests.faults.scale import number, report

GAPS = number("gaps", 18)


@pytest.fixture
def storm(live_cast: Cast, discord: Discord) -> Iterator[GapStorm]:
    """What waits for real seconds waits less, because all else takes simulated hours."""
    with (
        ModelServer() as server,
        mock.patch.multiple(delivery, **HASTE),
        mock.patch.multiple(host, FIRST_RETRY_SECONDS=0.05, LAST_RETRY_SECONDS=0.2),
        mock.patch.multiple(gateway, RECONNECTS=10_000),
    ):
        yield GapStorm(cast=live_cast, discord=discord, server=server)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE greenroom_clock SET shift = '0'")


def test_gaps_of_every_kind_and_length_lose_double_and_disorder_nothing(storm: GapStorm) -> None:
    made = gaps(GAPS)
    assert {gap.kind for gap in made} == set(KINDS)
    found = storm.rage(made)
    report(
        gaps=found.gaps,
        gap_hours=round(found.seconds / 3600, 1),
        gap_messages=found.messages,
        gap_answers=found.answers,
        gap_sessions=found.sessions,
        gap_lost=len(found.lost),
        gap_doubled=len(found.doubled),
        gap_reordered=len(found.reordered),
        gap_unwanted=len(found.unwanted),
    )
    assert found.is_clean, found
    assert found.gaps == GAPS
    assert found.answers > GAPS


@pytest.mark.parametrize("off", [timedelta(days=1), -timedelta(days=1)])
def test_a_wrong_clock_of_the_machine_harms_nothing(
    storm: GapStorm, monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    right = utils.utcnow
    monkeypatch.setattr(utils, "utcnow", lambda: right() + off)
    made = [Gap("forgotten", 60.0, 3), Gap("restart", 60.0, 3), Gap("cut", 60.0, 3)]
    found = storm.rage(made)
    assert found.is_clean, found
    assert found.answers > len(made)


def reads_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was missed is not fetched."""

    async def nothing(_self: Backfill, _channel_id: int, _mark: Mark) -> None:
        return None

    monkeypatch.setattr(Backfill, "_read_pages", nothing)


def hears_before_it_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said after a gap moves the mark past what was said in it."""
    monkeypatch.setattr(Book, "all_behind", lambda _self: None)


@pytest.mark.parametrize("lacks", [reads_nothing_up, hears_before_it_has_read])
def test_without_its_guard_gaps_are_seen_to_lose(
    storm: GapStorm, monkeypatch: pytest.MonkeyPatch, lacks: Callable[[pytest.MonkeyPatch], None]
) -> None:
    lacks(monkeypatch)
    monkeypatch.setattr("tests.bots.discord.gaps.READ_SECONDS", 3.0)
    with pytest.raises(AssertionError, match="it is still"):
        storm.rage([Gap("forgotten", FRESH, 3)])
    assert storm.found().lost
