from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from agentapp.events.models import Event
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Invalid, NotFound, Refused
from agentapp.identity import services as identity
from agentapp.identity.models import Identity, Participant, Person, Room, RoomLink, Seat, User
from agentapp.identity.services.rooms import NoSuchLink
from tests.town import Town, let_in, make_town


def test_the_maker_is_in_the_new_room_and_it_answers_on_its_own(town: Town) -> None:
    room = identity.create_room(
        workspace=town.workspace, name="Tea", visibility="private", by=town.olga
    )

    assert (room.platform, room.dial, room.reply_mode) == ("local", "asked", "own")
    assert Participant.objects.get(room=room).identity.user == town.olga
    assert Event.objects.filter(type="room.created", room_id=room.pk).exists()


@pytest.mark.parametrize("who", ["mona", "gus", "fay"])
def test_only_owners_open_rooms(town: Town, who: str) -> None:
    with pytest.raises(Refused):
        identity.create_room(
            workspace=town.workspace, name="Tea", visibility="public", by=getattr(town, who)
        )


def test_the_dial_and_the_switch_move_once(town: Town) -> None:
    for _ in range(2):
        identity.set_dial(room_id=town.lobby.pk, dial="joins", by=town.olga)
        identity.set_reply_mode(room_id=town.lobby.pk, mode="approve", by=town.olga)

    town.lobby.refresh_from_db()
    assert (town.lobby.dial, town.lobby.reply_mode) == ("joins", "approve")
    assert Event.objects.filter(type="room.changed", room_id=town.lobby.pk).count() == 2
    with pytest.raises(Invalid):
        identity.set_dial(room_id=town.lobby.pk, dial="loud", by=town.olga)
    with pytest.raises(Invalid):
        identity.set_reply_mode(room_id=town.lobby.pk, mode="always", by=town.olga)


def test_a_member_cannot_turn_the_dial(town: Town) -> None:
    with pytest.raises(Refused):
        identity.set_dial(room_id=town.lobby.pk, dial="silent", by=town.gus)
    with pytest.raises(NotFound):
        identity.set_dial(room_id=town.lobby.pk, dial="silent", by=town.fay)


def test_nobody_frees_the_agent_of_another_owner(town: Town) -> None:
    let_in(town.bo, town.square)
    identity.set_reply_mode(room_id=town.square.pk, mode="approve", by=town.otto)

    with pytest.raises(Refused, match="another owner"):
        identity.set_reply_mode(room_id=town.square.pk, mode="own", by=town.olga)

    town.square.refresh_from_db()
    assert town.square.reply_mode == Room.ReplyMode.APPROVE


def test_a_guest_joins_by_link_as_a_member_of_that_room_only(town: Town) -> None:
    token = identity.make_room_link(room_id=town.square.pk, by=town.olga)

    user, room = identity.join_by_link(token=token, name="  Ana\n")

    assert (room, str(user), user.is_guest) == (town.square, "Ana", True)
    assert not user.has_usable_password()
    assert list(Seat.objects.filter(user=user).values_list("role", flat=True)) == ["member"]
    handle = Identity.objects.get(user=user)
    assert (handle.external_id, handle.kind) == (f"user:{user.pk}", "human")
    assert handle.person is not None
    assert Participant.objects.filter(identity=handle).count() == 1


def test_a_user_who_is_logged_in_joins_as_themselves(town: Town) -> None:
    token = identity.make_room_link(room_id=town.den.pk, by=town.otto)
    guests = User.objects.filter(is_guest=True).count()

    for _ in range(2):
        user, _ = identity.join_by_link(token=token, name="ignored", user=town.gus)

    assert user == town.gus
    assert User.objects.filter(is_guest=True).count() == guests
    assert RoomLink.objects.latest("pk").uses_left == 19


@pytest.mark.parametrize("name", ["Mira", "mira", "Gus", " MIRA ", "Olga"])
def test_a_guest_does_not_take_a_name_that_is_there(town: Town, name: str) -> None:
    token = identity.make_room_link(room_id=town.lobby.pk, by=town.olga)

    with pytest.raises(Invalid, match="already"):
        identity.join_by_link(token=token, name=name)
    assert RoomLink.objects.latest("pk").uses_left == 20


def test_a_withdrawn_an_old_and_an_unknown_link_lead_nowhere(town: Town) -> None:
    withdrawn = identity.make_room_link(room_id=town.square.pk, by=town.olga)
    assert identity.revoke_room_links(room_id=town.square.pk, by=town.olga) == 1
    old = identity.make_room_link(room_id=town.square.pk, by=town.olga)
    RoomLink.objects.filter(revoked_at__isnull=True, room=town.square).update(
        expires_at=GreenroomNow() - timedelta(seconds=1)
    )

    for token in (withdrawn, old, "", "\x00"):
        with pytest.raises(NoSuchLink):
            identity.join_by_link(token=token, name="Ana")


def test_no_link_leads_into_a_direct_or_closed_room(town: Town) -> None:
    direct = identity.create_room(
        workspace=town.workspace, name="Two", visibility="private", by=town.olga, kind="direct"
    )
    token = identity.make_room_link(room_id=town.square.pk, by=town.olga)
    identity.archive_room(room_id=town.square.pk, by=town.olga)

    with pytest.raises(NoSuchLink):
        identity.join_by_link(token=token, name="Ana")
    for room in (direct, town.square):
        with pytest.raises(Refused):
            identity.make_room_link(room_id=room.pk, by=town.olga)
    with pytest.raises(Invalid):
        identity.make_room_link(room_id=town.lobby.pk, by=town.olga, hours=0)


def test_leaving_and_coming_back_is_one_row(town: Town) -> None:
    assert identity.leave_room(room_id=town.lobby.pk, user=town.olga)
    assert not identity.leave_room(room_id=town.lobby.pk, user=town.olga)

    identity.join_room(room_id=town.lobby.pk, user=town.olga)

    rows = Participant.objects.filter(room=town.lobby, identity__user=town.olga)
    assert [row.left_at for row in rows] == [None]


def test_who_was_not_invited_does_not_get_in(town: Town) -> None:
    with pytest.raises(NotFound):
        identity.join_room(room_id=town.den.pk, user=town.gus)
    with pytest.raises(Refused):
        identity.join_room(room_id=town.den.pk, user=town.mona)


def test_a_new_name_is_shown_in_rooms_too(town: Town) -> None:
    identity.set_profile(user=town.gus, display_name="Gustav")
    identity.set_timezone(user=town.gus, timezone="Europe/Paris")

    assert Identity.objects.get(user=town.gus).name == "Gustav"
    person = Person.objects.get(identities__user=town.gus)
    assert (person.name, person.timezone) == ("Gustav", "Europe/Paris")
    with pytest.raises(Invalid):
        identity.set_theme(user=town.gus, theme="neon")


def test_reading_never_moves_back(town: Town) -> None:
    for through in (5, 9, 3):
        identity.mark_read(room_id=town.lobby.pk, user=town.gus, through=through)

    assert Participant.objects.get(room=town.lobby, identity__user=town.gus).read_through == 9


@pytest.mark.django_db(transaction=True)
def test_a_link_lets_in_no_more_than_it_may() -> None:
    town = make_town()
    token = identity.make_room_link(room_id=town.square.pk, by=town.olga)
    RoomLink.objects.filter(room=town.square).update(uses_left=2)
    start = threading.Barrier(5)
    outcomes: list[bool] = []

    def join(name: str) -> None:
        start.wait(timeout=10)
        try:
            identity.join_by_link(token=token, name=name)
            outcomes.append(True)
        except NoSuchLink:
            outcomes.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=join, args=(f"Guest {n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert outcomes.count(True) == 2
    assert Seat.objects.filter(workspace=town.workspace, role="member").count() == 3
    assert RoomLink.objects.get(room=town.square).uses_left == 0
