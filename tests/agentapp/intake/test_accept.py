"""What one incoming message writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytest_django import DjangoAssertNumQueries

from agentapp.conversation.models import Message
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.envelope import Author, AuthorKind, Place
from agentapp.identity.models import Account, Identity, Participant, Person, Room
from agentapp.intake import services as intake
from agentapp.intake.models import Lane
from agentapp.intake.places import NoSuchRoom
from agentapp.presence.models import Membership
from agentapp.presence.services import add_agent
from tests.agentapp.intake.said import BOT, GARDEN, SAM, edit, in_room, incoming
from tests.cast import Cast


def test_a_message_is_written_once_and_told_once(cast: Cast) -> None:
    first = intake.accept(incoming(cast))
    again = intake.accept(incoming(cast, "Something else under the same id."))
    assert first.is_new
    assert not again.is_new
    assert again.message_id == first.message_id
    assert Message.objects.get().text == "Hello."
    assert Event.objects.filter(type="message.received").count() == 1


def test_a_duplicate_still_moves_the_cursor_of_its_login(cast: Cast) -> None:
    account = Account.objects.create(
        workspace=cast.workspace, agent=cast.ada, platform="matrix", external_id="@ada:example.org"
    )
    for batch in ("s1", "s2"):
        intake.accept(incoming(cast, account_id=str(account.pk), cursor={"since": batch}))
    account.refresh_from_db()
    assert account.cursor == {"since": "s2"}


def test_a_login_of_another_workspace_keeps_its_cursor(cast: Cast) -> None:
    account = Account.objects.create(
        workspace=cast.workspace, agent=cast.ada, platform="matrix", external_id="@ada:example.org"
    )
    intake.accept(
        incoming(
            cast,
            workspace_id=cast.elsewhere.pk,
            account_id=str(account.pk),
            cursor={"since": "stolen"},
        )
    )
    account.refresh_from_db()
    assert account.cursor == {}


def test_a_new_room_waits_for_its_owner_and_keeps_its_people(cast: Cast) -> None:
    intake.accept(incoming(cast, place=replace(GARDEN, is_public=True)))
    room = Room.objects.get(platform="matrix")
    assert (room.name, room.visibility, room.reply_mode) == ("Garden", "public", "approve")
    identity = Identity.objects.get(platform="matrix")
    assert identity.person is not None
    assert Participant.objects.filter(room=room, identity=identity).exists()


def test_a_thread_brings_its_parent(cast: Cast) -> None:
    place = Place(external_id="!t", name="Thread", kind="thread", parent=GARDEN.external_id)
    intake.accept(incoming(cast, place=place))
    thread = Room.objects.get(external_id="!t")
    assert thread.parent is not None
    assert thread.parent.external_id == GARDEN.external_id


def test_a_web_room_that_nobody_opened_is_refused(cast: Cast) -> None:
    with pytest.raises(NoSuchRoom):
        intake.accept(incoming(cast, platform="local"))
    assert not Message.objects.exists()


def test_handles_take_new_names_but_not_new_kinds(cast: Cast) -> None:
    intake.accept(incoming(cast))
    poser = Author(external_id=SAM.external_id, name="Samuel", kind=AuthorKind.BOT)
    intake.accept(incoming(cast, external_id="$2", author=poser))
    identity = Identity.objects.get(platform="matrix")
    assert (identity.name, identity.kind) == ("Samuel", "human")


def test_a_bot_is_nobody_in_particular(cast: Cast) -> None:
    intake.accept(incoming(cast, author=BOT))
    identity = Identity.objects.get(platform="matrix")
    assert (identity.kind, identity.person) == ("bot", None)


def test_a_scripted_member_is_somebody(cast: Cast) -> None:
    author = Author(external_id="@ana", name="Ana", kind=AuthorKind.SCRIPTED)
    intake.accept(incoming(cast, author=author))
    assert Person.objects.filter(identities__external_id="@ana").exists()


def test_a_login_of_an_agent_speaks_as_that_agent(cast: Cast) -> None:
    Account.objects.create(
        workspace=cast.workspace, agent=cast.bo, platform="matrix", external_id="@bo:example.org"
    )
    author = Author(external_id="@bo:example.org", name="Bo")
    intake.accept(incoming(cast, author=author))
    assert Identity.objects.get(platform="matrix").agent == cast.bo


def test_every_agent_in_the_room_decides_except_the_author(cast: Cast) -> None:
    author = Author(external_id=f"agent:{cast.ada.pk}", name="Ada", kind=AuthorKind.AGENT)
    accepted = intake.accept(incoming(cast, author=author, **in_room(cast.lounge)))
    lane = Lane.objects.get()
    assert (lane.agent, lane.wanted_through) == (cast.bo, accepted.message_id)


def test_agents_that_left_or_were_only_invited_do_not_decide(cast: Cast) -> None:
    Membership.objects.filter(agent=cast.ada).update(state="left", left_at=clock.now())
    invited = Membership.objects.get(agent=cast.bo)
    invited.delete()
    invited.state = Membership.State.INVITED
    invited.save(force_insert=True)
    intake.accept(incoming(cast, **in_room(cast.lounge)))
    assert not Lane.objects.exists()


def test_a_lane_begins_where_its_agent_came(cast: Cast) -> None:
    Membership.objects.filter(agent=cast.ada).delete()
    before = intake.accept(incoming(cast, external_id="$0", **in_room(cast.lounge)))
    add_agent(room_id=cast.lounge.pk, agent_id=cast.ada.pk, by=cast.root)
    intake.accept(incoming(cast, **in_room(cast.lounge)))
    assert Lane.objects.get(agent=cast.ada).decided_through == before.message_id


def test_a_reply_may_come_before_the_message_it_answers(cast: Cast) -> None:
    intake.accept(incoming(cast, "And so do I.", external_id="$2", reply_to="$1"))
    intake.accept(incoming(cast, "I like tea."))
    reply = Message.objects.get(external_id="$2")
    assert reply.reply_to is not None
    assert reply.reply_to.text == "I like tea."


def test_a_reply_to_something_unknown_is_no_trouble(cast: Cast) -> None:
    accepted = intake.accept(incoming(cast, reply_to="$never-seen"))
    assert Message.objects.get(pk=accepted.message_id).is_known


def test_mentions_of_known_handles_are_kept(cast: Cast) -> None:
    mentions = (f"agent:{cast.ada.pk}", "agent:nobody", "\ud800")
    accepted = intake.accept(incoming(cast, mentions=mentions, **in_room(cast.lounge)))
    mentioned = Message.objects.get(pk=accepted.message_id).mentions.get()
    assert mentioned.agent == cast.ada


def test_what_a_change_left_behind_takes_its_place_when_it_arrives(cast: Cast) -> None:
    """A lane that has passed the placeholder's id must still see the message."""
    intake.accept_edit(edit(cast, "Corrected."))
    later = intake.accept(incoming(cast, external_id="$2"))
    arrived = intake.accept(incoming(cast))
    assert arrived.message_id > later.message_id
    assert Message.objects.get(pk=arrived.message_id).text == "Corrected."


def test_accepting_costs_the_same_in_any_room(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(12):
        intake.accept(incoming(cast, external_id=f"${n}", **in_room(cast.lounge)))
    with django_assert_max_num_queries(9):
        intake.accept(incoming(cast, external_id="$next", **in_room(cast.lounge)))
