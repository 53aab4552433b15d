from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agentapp.foundation.errors import Invalid
from dashboard.avatars import HUES, agent_face, person_disc
from dashboard.presenters.choices import nap_end, naps
from dashboard.presenters.faces import HUE_STEP, Face, face_by_id
from dashboard.presenters.stamps import stamp
from dashboard.templatetags.greenroom import avatar, meter, money, sparkline

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_face_depends_on_the_agent_alone() -> None:
    first = agent_face(seed="agent 7", hue=3, size=36)
    assert agent_face(seed="agent 7", hue=3, size=36) == first
    assert agent_face(seed="agent 8", hue=3, size=36) != first


def test_twelve_neighbours_have_twelve_colours() -> None:
    hues = {face_by_id(agent_id=agent_id, name="A").hue for agent_id in range(1, HUES + 1)}
    assert len(hues) == HUES
    assert HUE_STEP % HUES != 1


@pytest.mark.parametrize("size", [24, 36, 72])
def test_a_face_carries_no_style(size: int) -> None:
    for seed in map(str, range(40)):
        assert not re.search(
            r"style=|<script|class=\"(?!avatar)", agent_face(seed=seed, hue=1, size=size)
        )
    assert "style=" not in person_disc(initial="A", size=size)


@pytest.mark.parametrize(("name", "letter"), [("ana", "A"), ("<b>", "B"), ("…", "·"), ("", "·")])
def test_a_disc_shows_a_letter_and_never_markup(name: str, letter: str) -> None:
    assert f">{letter}</text>" in avatar(Face(name=name))


def test_a_meter_is_full_at_the_limit_and_empty_without_one() -> None:
    assert 'width="50.0%"' in meter(1, 2, "half")
    assert "meter-over" in meter(3, 2, "over")
    assert 'width="0.0%"' in meter(3, 0, "none")


def test_a_sparkline_of_nothing_draws() -> None:
    assert sparkline([], "none").count("<rect") == 0
    assert sparkline([0, 5, 0], "some").count("is-zero") == 2


def test_money_reads_like_money() -> None:
    assert (money(2100), money(1_000_000), money(None)) == ("0.21 ct", "$1.00", "$0.00")


def test_a_stamp_changes_with_what_is_shown() -> None:
    assert stamp("a", 1) == stamp("a", 1)
    assert stamp("a", 1) != stamp("a", 2)


def test_snoozes_end_in_the_owners_time() -> None:
    noon = datetime(2026, 11, 21, 11, tzinfo=UTC)  # 12:00 in Berlin
    ends = {nap.code: nap.when for nap in naps(now=noon, zone=BERLIN)}
    assert ends == {"hour": "13:00", "evening": "18:00", "morning": "08:30"}
    assert nap_end("morning", now=noon, zone=BERLIN) == datetime(2026, 11, 22, 7, 30, tzinfo=UTC)


def test_an_evening_that_has_begun_is_not_offered() -> None:
    late = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)  # 17:30 in Berlin
    assert [nap.code for nap in naps(now=late, zone=BERLIN)] == ["hour", "morning"]
    assert nap_end("evening", now=late, zone=BERLIN) == datetime(2026, 11, 21, 17, 30, tzinfo=UTC)


def test_an_unknown_snooze_is_invalid() -> None:
    with pytest.raises(Invalid):
        nap_end("never", now=datetime(2026, 11, 21, tzinfo=UTC), zone=BERLIN)
