"""Power levels as the room's state has them, old rooms and new, sane or not."""

from __future__ import annotations

import pytest

from bots.matrix.power import INFINITE, Powers

ANN, BEN, EVE = "@ann:g", "@ben:g", "@eve:g"


def create(version: str, **content: object) -> dict[str, object]:
    return {"sender": ANN, "content": {"room_version": version, **content}}


def test_from_version_12_on_creators_stand_above_all_levels() -> None:
    powers = Powers(create("12", additional_creators=[BEN, 3]), {"users": {EVE: 100}})
    assert (powers.of(ANN), powers.of(BEN), powers.of(EVE)) == (INFINITE, INFINITE, 100)
    assert powers.may_act(ANN, "kick")


def test_before_that_the_levels_alone_count() -> None:
    powers = Powers(create("11"), {"users": {BEN: 50}, "users_default": 5})
    assert (powers.of(ANN), powers.of(BEN)) == (5, 50)
    assert powers.is_moderator(BEN)
    assert not powers.may_act(ANN, "ban")
    assert powers.may_act(ANN, "invite")


def test_without_levels_the_creator_is_the_admin() -> None:
    assert Powers(create("10", creator=BEN), None).of(BEN) == 100
    assert Powers(create("11"), None).of(ANN) == 100
    assert Powers(create("11"), None).of(EVE) == 0
    assert Powers(create("11"), None).needed("m.room.name", is_state=True) == 0


def test_an_event_may_need_more_than_others() -> None:
    powers = Powers(
        create("11"), {"events": {"m.reaction": 20}, "events_default": 10, "users_default": 15}
    )
    assert powers.may_send(EVE, "m.room.message")
    assert not powers.may_send(EVE, "m.reaction")
    assert powers.needed("m.room.name", is_state=True) == 50


@pytest.mark.parametrize("odd", [None, True, [], {}, "x", "9" * 40, 1.5])
def test_odd_levels_grant_nothing(odd: object) -> None:
    powers = Powers(
        {"sender": odd, "content": odd},
        {"users": odd, "users_default": odd, "events": odd, "events_default": odd, "kick": odd},
    )
    assert powers.of(EVE) == 0
    assert not powers.may_act(EVE, "kick")
    powers = Powers(create("11"), {"users": {EVE: odd}})
    assert powers.of(EVE) == 0


def test_old_rooms_may_write_numbers_as_text() -> None:
    assert Powers(create("5"), {"users": {EVE: " 50"}}).of(EVE) == 50
