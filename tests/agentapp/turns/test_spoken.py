"""What caps are counted over."""

from __future__ import annotations

from datetime import timedelta

from pytest_django import DjangoAssertNumQueries

from agentapp.foundation import clock
from agentapp.identity.models import Agent, Person, Room
from agentapp.turns import queries
from agentapp.turns.models import Turn
from agentapp.turns.rules import Spoken
from tests.cast import Cast


def turn(cast: Cast, agent: Agent, trigger_id: int, **changes: object) -> Turn:
    minutes = changes.pop("minutes_ago", 0)
    values: dict[str, object] = {
        "workspace": cast.workspace,
        "agent": agent,
        "room": cast.lounge,
        "trigger_id": trigger_id,
        "decision": "respond",
        "addressed": True,
        "created_at": clock.now() - timedelta(minutes=float(str(minutes))),
    }
    return Turn.objects.create(**values | changes)


def spoken(cast: Cast, **changes: object) -> Spoken:
    values: dict[str, object] = {
        "room_id": cast.lounge.pk,
        "agent_ids": [cast.ada.pk, cast.bo.pk],
        "person_ids": [],
        "window_id": 0,
        "human_id": 0,
        "is_tryout": False,
    }
    (found,) = queries.spoken([queries.Talk(**values | changes)])
    return found


def test_answers_of_all_agents_count_for_the_room_within_ten_minutes(cast: Cast) -> None:
    turn(cast, cast.ada, 1, minutes_ago=9)
    turn(cast, cast.bo, 2, minutes_ago=9)
    turn(cast, cast.bo, 3, minutes_ago=11)
    turn(cast, cast.bo, 4, decision="ignore")
    assert spoken(cast).room_10min == 2


def test_joining_in_counts_per_agent_within_the_hour_and_the_window(cast: Cast) -> None:
    turn(cast, cast.ada, 1, addressed=False, minutes_ago=61)
    turn(cast, cast.ada, 2, addressed=False, minutes_ago=59)
    turn(cast, cast.bo, 3, addressed=False)
    found = spoken(cast, window_id=1, human_id=1)
    assert found.unaddressed_hour == {cast.ada.pk: 1, cast.bo.pk: 1}
    assert found.unaddressed_window == {cast.ada.pk: 2, cast.bo.pk: 1}
    assert spoken(cast, window_id=2, human_id=2).unaddressed_window[cast.ada.pk] == 1


def test_what_follows_the_last_human_counts_over_all_agents(cast: Cast) -> None:
    turn(cast, cast.ada, 1, minutes_ago=600)
    turn(cast, cast.ada, 5, minutes_ago=600)
    turn(cast, cast.bo, 6, decision="react", minutes_ago=600)
    found = spoken(cast, window_id=1, human_id=5)
    assert (found.without_human, found.answers_without_human) == (2, 1)


def test_answers_to_a_person_count_in_every_room_but_try_outs(cast: Cast) -> None:
    person = cast.identity(cast.sam).person
    assert isinstance(person, Person)
    elsewhere = Room.objects.create(workspace=cast.workspace, platform="local", external_id="x")
    tryout = Room.objects.create(
        workspace=cast.workspace, platform="local", external_id="y", is_tryout=True
    )
    turn(cast, cast.ada, 1, person=person)
    turn(cast, cast.ada, 2, person=person, room=elsewhere, minutes_ago=30)
    turn(cast, cast.ada, 3, person=person, room=tryout)
    turn(cast, cast.ada, 4, person=person, minutes_ago=25 * 60)
    turn(cast, cast.bo, 5, person=person)
    found = spoken(cast, person_ids=[person.pk])
    assert found.to_person == {(cast.ada.pk, person.pk): (1, 2), (cast.bo.pk, person.pk): (1, 1)}
    apart = spoken(cast, person_ids=[person.pk], is_tryout=True)
    assert apart.to_person == {(cast.ada.pk, person.pk): (1, 1)}


def test_places_are_counted_apart(cast: Cast) -> None:
    other = Room.objects.create(workspace=cast.workspace, platform="local", external_id="x")
    turn(cast, cast.ada, 1)
    turn(cast, cast.ada, 2)
    turn(cast, cast.bo, 3, room=other)
    talks = [
        queries.Talk(room.pk, [cast.ada.pk, cast.bo.pk], [], window, window, is_tryout=False)
        for room, window in ((other, 3), (cast.lounge, 2), (other, 4))
    ]
    found = queries.spoken(talks)
    assert [each.room_10min for each in found] == [1, 2, 1]
    assert [each.without_human for each in found] == [1, 1, 0]


def test_counting_takes_three_statements(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(30):
        turn(cast, cast.ada, n)
    with django_assert_num_queries(3):
        spoken(cast, person_ids=[1, 2, 3])
