"""What people do in web rooms."""

from __future__ import annotations

import pytest

from agentapp.conversation.models import Message, Reaction
from agentapp.conversation.queries import recent
from agentapp.foundation.errors import Conflict, Invalid, NotFound, Refused
from agentapp.identity.models import Identity, Room
from agentapp.identity.services.rooms import archive_room
from agentapp.intake import services as intake
from agentapp.intake.models import Lane
from agentapp.intake.services.web import NotInThisRoom
from tests.cast import Cast, make_message


def post(cast: Cast, text: str = "Hello.", **changes: object) -> Message:
    values: dict[str, object] = {"user": cast.sam, "room_id": cast.lounge.pk, "text": text}
    return intake.post_web_message(**values | changes)


def test_a_message_is_posted_and_queued_for_every_agent(cast: Cast) -> None:
    message = post(cast)
    assert message.author == cast.identity(cast.sam)
    assert {lane.wanted_through for lane in Lane.objects.all()} == {message.pk}
    assert Lane.objects.count() == 2


def test_the_same_click_twice_posts_once(cast: Cast) -> None:
    first = post(cast, client_key="k1")
    again = post(cast, client_key="k1")
    other = post(cast, client_key="k1", user=cast.mallory)
    assert first.pk == again.pk
    assert other.pk != first.pk


def test_strangers_and_outsiders_may_not_post(cast: Cast) -> None:
    with pytest.raises((NotFound, Refused)):
        post(cast, user=cast.olga)
    assert not Message.objects.exists()


def test_nothing_is_posted_into_an_archived_room(cast: Cast) -> None:
    archive_room(room_id=cast.lounge.pk, by=cast.root)
    with pytest.raises((NotFound, Refused)):
        post(cast)


def test_other_platforms_rooms_are_not_written_from_the_web(cast: Cast) -> None:
    Room.objects.filter(pk=cast.lounge.pk).update(platform="matrix")
    with pytest.raises(Refused):
        post(cast)


@pytest.mark.parametrize("text", ["", "  \n ", "\0", "\u202e"])
def test_nothing_readable_is_no_message(cast: Cast, text: str) -> None:
    with pytest.raises(Invalid):
        post(cast, text)


def test_names_with_an_at_sign_are_mentions(cast: Cast) -> None:
    message = post(cast, "@Ada and @mallory, hello. Mail root@example.org, not @Nobody.")
    named = set(message.mentions.values_list("name", flat=True))
    assert named == {"Ada", "mallory"}
    assert message.mentions.get(kind=Identity.Kind.AGENT).agent == cast.ada


def test_a_reply_points_at_its_message(cast: Cast) -> None:
    asked = make_message(cast, cast.mallory, "Anybody?")
    assert post(cast, reply_to_id=asked.pk).reply_to == asked


def test_only_messages_of_the_room_can_be_answered(cast: Cast) -> None:
    for gone in (10**9, _deleted(cast)):
        with pytest.raises(NotInThisRoom):
            post(cast, reply_to_id=gone)


def _deleted(cast: Cast) -> int:
    message = post(cast, user=cast.mallory)
    intake.delete_web_message(user=cast.mallory, message_id=message.pk)
    return message.pk


def test_authors_change_their_own_words_only(cast: Cast) -> None:
    message = post(cast)
    assert intake.edit_web_message(user=cast.sam, message_id=message.pk, text="Bye.").text == "Bye."
    for other in (cast.mallory, cast.root):
        with pytest.raises(Refused):
            intake.edit_web_message(user=other, message_id=message.pk, text="I am a fool.")
    message.refresh_from_db()
    assert message.text == "Bye."


def test_a_deleted_message_cannot_be_changed_and_is_not_listed(cast: Cast) -> None:
    message = post(cast)
    intake.delete_web_message(user=cast.sam, message_id=message.pk)
    with pytest.raises(Conflict):
        intake.edit_web_message(user=cast.sam, message_id=message.pk, text="Still here.")
    assert recent(room_id=cast.lounge.pk) == []


def test_owners_take_others_messages_down_and_members_do_not(cast: Cast) -> None:
    message = post(cast)
    with pytest.raises(Refused):
        intake.delete_web_message(user=cast.mallory, message_id=message.pk)
    intake.delete_web_message(user=cast.root, message_id=message.pk)
    message.refresh_from_db()
    assert message.deleted_at is not None


def test_reactions_come_and_go(cast: Cast) -> None:
    message = post(cast)
    for present in (True, True, False):
        intake.react_web(user=cast.mallory, message_id=message.pk, emoji="👍", present=present)
    assert not Reaction.objects.get().is_present
    with pytest.raises(Invalid):
        intake.react_web(user=cast.sam, message_id=message.pk, emoji=" ", present=True)
    with pytest.raises((NotFound, Refused)):
        intake.react_web(user=cast.olga, message_id=message.pk, emoji="👍", present=True)


def test_pages_of_a_room_follow_each_other_without_gaps(cast: Cast) -> None:
    ids = [post(cast, f"Message {n}.").pk for n in range(7)]
    newest = recent(room_id=cast.lounge.pk, limit=3)
    before = recent(room_id=cast.lounge.pk, before_id=newest[0].pk, limit=3)
    assert [message.pk for message in [*before, *newest]] == ids[1:]
