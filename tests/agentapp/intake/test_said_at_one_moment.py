"""What members say in web rooms at one moment is written together, each as if it came alone."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentapp.conversation.models import Message
from agentapp.events.models import Event
from agentapp.foundation.errors import NotFound
from agentapp.identity.models import Participant, Room, User
from agentapp.identity.services.rooms import create_room, join_room, leave_room
from agentapp.intake.models import Lane
from agentapp.intake.services import post_web_message, web
from agentapp.presence.services import add_agent
from tests.cast import Cast
from tests.fakes.connecting import in_threads


def rooms_of(cast: Cast, count: int) -> list[Room]:
    rooms = []
    for n in range(count):
        room = create_room(
            workspace=cast.workspace, name=f"Room {n}", visibility="public", by=cast.root
        )
        join_room(room_id=room.pk, user=cast.sam)
        add_agent(room_id=room.pk, agent_id=cast.ada.pk, by=cast.root)
        rooms.append(room)
    return rooms


def post(
    user: User, room: Room, text: str, *, key: str = "", answers: int | None = None
) -> web._Post:
    return web._Post(user, room.pk, text, answers, key)


def test_each_stands_in_its_room_by_its_writer_and_wakes_its_agents(cast: Cast) -> None:
    attic, barn = rooms_of(cast, 2)
    first = post_web_message(user=cast.root, room_id=attic.pk, text="Before")

    told = web._post(
        [
            post(cast.sam, barn, "in the barn"),
            post(cast.root, attic, "@Ada in the attic", answers=first.pk),
            post(cast.sam, barn, "and again"),
        ]
    )

    assert [(each.room_id, each.text) for each in told] == [
        (barn.pk, "in the barn"),
        (attic.pk, "@Ada in the attic"),
        (barn.pk, "and again"),
    ]
    assert [each.author.user for each in told if each.author] == [cast.sam, cast.root, cast.sam]
    assert told[0].pk < told[2].pk
    assert told[1].reply_to_id == first.pk
    assert [each.agent for each in told[1].mentions.all()] == [cast.ada]
    lanes = {lane.room_id: lane.wanted_through for lane in Lane.objects.filter(agent=cast.ada)}
    assert lanes[barn.pk] == told[2].pk
    assert lanes[attic.pk] == told[1].pk
    assert Event.objects.filter(type="message.received").count() == 4


def test_more_people_are_no_more_queries(cast: Cast) -> None:
    rooms = rooms_of(cast, 6)
    web._post([post(cast.sam, rooms[0], "warm")])

    counts = []
    for some in (rooms[:1], rooms):
        with CaptureQueriesContext(connection) as asked:
            web._post([post(cast.sam, room, f"hello {len(some)}") for room in some])
        counts.append(len(asked))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("is_gone", ["left", "inactive", "room"])
def test_who_may_not_speak_there_harms_nobody_else(live_cast: Cast, is_gone: str) -> None:
    attic, barn = rooms_of(live_cast, 2)
    join_room(room_id=attic.pk, user=live_cast.mallory)
    if is_gone == "left":
        leave_room(room_id=attic.pk, user=live_cast.mallory)
        Room.objects.filter(pk=attic.pk).update(visibility="private")
    elif is_gone == "inactive":
        User.objects.filter(pk=live_cast.mallory.pk).update(is_active=False)
        live_cast.mallory.refresh_from_db()
    room_of_mallory = 2**40 if is_gone == "room" else attic.pk

    def say(n: int) -> Message:
        if n == 3:
            return post_web_message(user=live_cast.mallory, room_id=room_of_mallory, text="let me")
        return post_web_message(user=live_cast.sam, room_id=barn.pk, text=f"hello {n}")

    found = in_threads(8, say)

    refused = [each for each in found if isinstance(each, NotFound)]
    assert len(refused) == 1
    said = Message.objects.filter(room__in=[attic, barn]).values_list("text", flat=True)
    assert sorted(said) == [f"hello {n}" for n in range(8) if n != 3]


def test_one_press_that_arrives_twice_is_one_message(live_cast: Cast) -> None:
    (attic,) = rooms_of(live_cast, 1)

    found = in_threads(
        6,
        lambda n: (
            post_web_message(
                user=live_cast.sam, room_id=attic.pk, text="once", client_key=f"press-{n % 2}"
            ).pk
        ),
    )

    assert len(set(found)) == 2
    assert Message.objects.filter(room=attic).count() == 2
    assert Participant.objects.filter(room=attic, identity__user=live_cast.sam).count() == 1


def test_the_same_press_twice_in_one_go_is_one_message(cast: Cast) -> None:
    (attic,) = rooms_of(cast, 1)

    one, other = web._post([post(cast.sam, attic, "once", key="press")] * 2)

    assert one.pk == other.pk
    assert Event.objects.filter(type="message.received", room_id=attic.pk).count() == 1
