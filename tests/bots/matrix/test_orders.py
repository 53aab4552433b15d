"""Whoever looks after a room orders an agent about there, without an account here."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial

import pytest

from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import approve
from agentapp.foundation import clock
from agentapp.foundation.envelope import Author
from agentapp.foundation.errors import Refused
from agentapp.llm.models import LLMCall
from agentapp.moderation import rooms as moderation
from agentapp.moderation.models import ModerationAction
from agentapp.moderation.orders import Order
from agentapp.notifications.models import Notification
from agentapp.presence.models import Membership
from agentapp.presence.services import set_voice
from bots.bridge import Bridge
from tests.bots.matrix.test_rooms import seen_as
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    login_agent,
    matrix_host,
    membership_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.dashboard.pages.world import make_draft
from tests.fakes.synapse import Synapse
from tests.pace import allowed


def notices_of(member: Member, room: str, sender: str) -> list[str]:
    return [
        str(event["content"]["body"])
        for event in member.reads(room)
        if event["sender"] == sender and event["content"].get("msgtype") == "m.notice"
    ]


def a_room(cast: Cast, synapse: Synapse) -> tuple[Member, Member, Member, str]:
    """Return who looks after a room, another member, the agent's own client, and the room."""
    ann, ben, ada = (Member(synapse, name) for name in ("ann", "ben", "ada"))
    room = ann.opens(ada.user_id, ben.user_id, name="Tea")
    for member in (ada, ben):
        member.joins(room)
    login_agent(cast, cast.ada, synapse, ada)
    return ann, ben, ada, room


async def says_until(cast: Cast, room: str, bridge: Bridge, words: str, status: str) -> None:
    """Let the agent say something and wait for what becomes of it."""
    draft = await bridge.call(answers, cast.ada, room, words)
    await eventually(bridge, lambda: status_of(draft), status)


def test_a_moderator_mutes_and_frees_and_removes_within_moments(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, ben, ada, room = a_room(live_cast, synapse)
    is_in = partial(membership_of, live_cast.ada, room)
    said = partial(notices_of, ann, room, ada.user_id)

    says = partial(says_until, live_cast, room)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await eventually(bridge, is_in, "active")
            await bridge.call(ben.says, room, "!mute @ada 1h")  # looks after nothing
            begun = time.monotonic()
            await bridge.call(ann.says, room, f"!mute {ada.user_id} 1h")
            await eventually(bridge, is_in, "muted")
            assert time.monotonic() - begun < allowed(2.0)
            await eventually(bridge, lambda: len(said()), 1)
            await says(bridge, "But I wanted to say", "blocked")

            await bridge.call(ann.says, room, "!unmute all")
            await eventually(bridge, is_in, "active")
            await eventually(bridge, lambda: len(said()), 2)
            await says(bridge, "Thank you", "published")

            await bridge.call(ann.says, room, "!remove @ada")
            await eventually(bridge, partial(seen_as, ann, room, ada.user_id), "decline")
            assert await bridge.call(is_in) == "removed"

    run(work)
    assert said()[0] == "I am muted here for one hour. `!unmute` ends it."
    assert ann.hears(room, ada.user_id)[-1] == "Thank you"
    done = ModerationAction.objects.order_by("pk").values_list("kind", "state")
    assert list(done) == [("mute", "lifted"), ("remove", "active")]
    told = Notification.objects.filter(user=live_cast.root, kind__startswith="room.moderated")
    assert len(told) == 3
    assert not LLMCall.objects.exists()


# -- obeying, without a homeserver -------------------------------------------------------------


@pytest.fixture
def here(cast: Cast) -> Membership:
    return Membership.objects.get(agent=cast.ada, room=cast.lounge)


def order(here: Membership, act: str, event_id: str, **fields: object) -> Order:
    values: dict[str, object] = {
        "workspace_id": here.workspace_id,
        "platform": here.room.platform,
        "room_external_id": here.room.external_id,
        "agent_id": here.agent_id,
        "by": Author("@ann:green.test", "Ann"),
        "act": act,
        "hours": 1.0,
        "external_id": event_id,
    }
    return Order(**values | fields)  # type: ignore[arg-type]


def state_of(here: Membership) -> tuple[str, bool]:
    here.refresh_from_db()
    return here.state, here.is_held


def test_an_order_is_obeyed_once_however_often_it_comes(cast: Cast, here: Membership) -> None:
    orders = [order(here, "mute", "$1"), order(here, "unmute", "$2"), order(here, "mute", "$3")]
    assert [moderation.obey(one) for one in orders] == [True, True, True]
    assert [moderation.obey(one) for one in orders] == [False, False, False]
    assert state_of(here) == ("muted", True)


def test_its_owner_cannot_end_it_and_it_ends_by_itself(cast: Cast, here: Membership) -> None:
    moderation.obey(order(here, "mute", "$1"))
    with pytest.raises(Refused):
        set_voice(membership_id=here.pk, may_talk=True, by=cast.root)
    assert moderation.expire_due() == 0
    ModerationAction.objects.update(until=clock.now())
    assert [moderation.expire_due(), moderation.expire_due()] == [1, 0]
    assert state_of(here) == ("active", False)
    set_voice(membership_id=here.pk, may_talk=False, by=cast.root)
    assert state_of(here) == ("muted", False)


def test_an_order_that_was_over_before_it_was_read_does_nothing(
    cast: Cast, here: Membership
) -> None:
    late = order(here, "mute", "$1", at=clock.now() - timedelta(hours=2))
    assert not moderation.obey(late)
    assert state_of(here) == ("active", False)


def test_an_order_about_a_room_it_is_not_in_does_nothing(cast: Cast, here: Membership) -> None:
    assert not moderation.obey(order(here, "mute", "$1", room_external_id="elsewhere"))
    assert not moderation.obey(order(here, "mute", "$2", workspace_id=cast.elsewhere.pk))


def test_the_room_of_an_order_is_the_only_one_it_concerns(cast: Cast, here: Membership) -> None:
    moderation.obey(order(here, "mute", "$1"))
    others = Membership.objects.exclude(pk=here.pk).values_list("state", flat=True)
    assert set(others) == {"active"}


def test_for_all_agents_one_says_it_once(cast: Cast, here: Membership) -> None:
    other = Membership.objects.get(agent=cast.bo, room=cast.lounge)
    for each in (here, other, here):
        moderation.obey(order(each, "mute", "$1", is_for_all=True))

    assert (state_of(here)[0], state_of(other)[0]) == ("muted", "muted")
    said = Draft.objects.filter(room=cast.lounge).values_list("text", flat=True)
    assert list(said) == ["All agents here are muted for one hour. `!unmute all` ends it."]


def test_its_last_messages_are_taken_back_once(cast: Cast, here: Membership) -> None:
    drafts = [make_draft(cast, text=f"Words {n}") for n in range(3)]
    for draft in drafts:
        publish(draft)

    first = order(here, "delete", "$1", count=2)
    assert [moderation.obey(first), moderation.obey(first)] == [True, False]

    going = Outbound.objects.filter(action=Outbound.Action.RETRACT).order_by("draft")
    assert [piece.draft_id for piece in going] == [draft.pk for draft in drafts[1:]]
    (told,) = Notification.objects.filter(kind__startswith="room.moderated.deleted")
    assert told.user == cast.root
    assert "took back its last 2 messages" in told.text


def publish(draft: Draft) -> None:
    """Bring a draft to where its sender leaves it."""
    approve(
        draft_id=draft.pk,
        by=draft.agent.owner,
        version=draft.version,
        content_hash=draft.content_hash,
    )
    for state in ("publishing", "published"):
        values = {"published_at": clock.now()} if state == "published" else {}
        Draft.objects.filter(pk=draft.pk).update(status=state, **values)
    for state in ("publishing", "sent"):
        Outbound.objects.filter(draft=draft).update(state=state, external_id=f"$of{draft.pk}")
