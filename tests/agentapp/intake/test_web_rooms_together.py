"""What agents say in web rooms is taken in together, each message as if it came alone."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentapp.conversation.models import Message
from agentapp.events.models import Event
from agentapp.foundation.envelope import Author, AuthorKind, Incoming, Place
from agentapp.identity.models import Identity, Room
from agentapp.identity.services.rooms import create_room
from agentapp.intake import services as intake
from agentapp.intake.models import Lane
from agentapp.presence.services import add_agent
from tests.cast import Cast


def room_of_both(cast: Cast, name: str) -> Room:
    room = create_room(workspace=cast.workspace, name=name, visibility="public", by=cast.root)
    for agent in (cast.ada, cast.bo):
        add_agent(room_id=room.pk, agent_id=agent.pk, by=cast.root)
    return room


def said(cast: Cast, room: Room | str, text: str, **changes: object) -> Incoming:
    handle = Identity.objects.get(agent=cast.ada, platform="local")
    values: dict[str, object] = {
        "workspace_id": cast.workspace.pk,
        "platform": "local",
        "place": Place(external_id=room if isinstance(room, str) else room.external_id),
        "external_id": f"key-{text}",
        "author": Author(handle.external_id, "Ada", AuthorKind.AGENT),
        "text": text,
    }
    return Incoming(**values | changes)  # type: ignore[arg-type]


def test_each_stands_in_its_room_and_wakes_the_others_there(cast: Cast) -> None:
    attic, barn = room_of_both(cast, "Attic"), room_of_both(cast, "Barn")
    question = intake.accept(said(cast, attic, "question"))

    accepted = intake.accept_in_web_rooms(
        [
            said(cast, attic, "one", reply_to="key-question"),
            said(cast, "no-such-room", "two"),
            said(cast, barn, "three @Bo"),
            said(cast, attic, "four"),
        ]
    )

    assert accepted[1] is None
    first, second, third = [each for each in accepted if each]
    assert first.message_id < second.message_id < third.message_id
    rows = Message.objects.in_bulk([first.message_id, second.message_id, third.message_id])
    assert [(rows[pk].room, rows[pk].text) for pk in sorted(rows)] == [
        (attic, "one"),
        (barn, "three @Bo"),
        (attic, "four"),
    ]
    assert rows[first.message_id].reply_to_id == question.message_id
    assert [each.agent for each in rows[second.message_id].mentions.all()] == [cast.bo]
    wanted = Lane.objects.filter(agent=cast.bo, room__in=[attic, barn]).order_by("room")
    assert [lane.wanted_through for lane in wanted] == [third.message_id, second.message_id]
    assert not Lane.objects.filter(agent=cast.ada, room__in=[attic, barn]).exists()
    told = Event.objects.filter(type="message.received", subject_id__in=map(str, rows))
    assert told.count() == 3


def test_what_is_there_already_is_not_said_again(cast: Cast) -> None:
    attic = room_of_both(cast, "Attic")
    before = intake.accept(said(cast, attic, "one"))

    accepted = intake.accept_in_web_rooms(
        [said(cast, attic, "one"), said(cast, attic, "new"), said(cast, attic, "new")]
    )

    again, new, twin = [each for each in accepted if each]
    assert (again.message_id, again.is_new) == (before.message_id, False)
    assert (twin.message_id, twin.is_new, new.is_new) == (new.message_id, False, True)
    assert Message.objects.filter(room=attic).count() == 2


def test_twenty_cost_as_many_statements_as_one(cast: Cast) -> None:
    rooms = [room_of_both(cast, f"Room {n}") for n in range(20)]
    intake.accept_in_web_rooms([said(cast, rooms[0], "warm")])
    counts = []
    for batch in ([said(cast, rooms[0], "alone")], [said(cast, r, "together") for r in rooms]):
        with CaptureQueriesContext(connection) as queries:
            intake.accept_in_web_rooms(batch)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8
