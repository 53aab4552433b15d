from __future__ import annotations

from datetime import timedelta

import pytest

from agentapp.drafts import offers, services
from agentapp.drafts.models import Draft
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.errors import Conflict, NotFound
from agentapp.identity.models import Agent, Room
from agentapp.identity.services.rooms import set_reply_mode
from agentapp.notifications.models import Notification
from tests.cast import Cast
from tests.dashboard.pages.world import make_draft, publish, seen


@pytest.fixture
def place(cast: Cast) -> Cast:
    """Ada's replies in the lounge wait because the room says so, not because she does."""
    Agent.objects.filter(pk=cast.ada.pk).update(approval_rules={})
    set_reply_mode(room_id=cast.lounge.pk, mode=Room.ReplyMode.APPROVE, by=cast.root)
    return cast


def reply(cast: Cast, *, edits: str | None = None) -> Draft:
    draft = make_draft(cast)
    services.approve(draft_id=draft.pk, by=cast.root, edits=edits, **seen(draft))  # type: ignore[arg-type]
    publish(draft)
    # One decision a second: what came before an answer must not count after it.
    count = Draft.objects.count()
    at = clock.now() - timedelta(hours=1) + timedelta(seconds=count)
    Draft.objects.filter(pk=draft.pk).update(decided_at=at)
    return draft


def asked(cast: Cast) -> list[int]:
    return [one.count for one in offers.open_offers(owner_id=cast.root.pk)]


def test_five_unchanged_replies_make_an_offer(place: Cast) -> None:
    for _ in range(4):
        reply(place)
    assert asked(place) == []
    reply(place)
    assert asked(place) == [5]
    assert offers.open_offers(owner_id=place.olga.pk) == []


@pytest.mark.parametrize("how", ["edited", "rejected"])
def test_a_change_starts_the_count_anew(place: Cast, how: str) -> None:
    for _ in range(3):
        reply(place)
    if how == "edited":
        reply(place, edits="Something else.")
    else:
        services.reject(draft_id=make_draft(place).pk, by=place.root)
        Draft.objects.filter(status="rejected").update(
            decided_at=clock.now() - timedelta(hours=1) + timedelta(seconds=4)
        )
    for _ in range(4):
        reply(place)
    assert asked(place) == []
    reply(place)
    assert asked(place) == [5]


def test_what_was_undone_and_sent_all_the_same_is_unchanged(place: Cast) -> None:
    for _ in range(4):
        reply(place)
    draft = make_draft(place)
    services.approve(draft_id=draft.pk, by=place.root, **seen(draft))  # type: ignore[arg-type]
    services.undo(draft_id=draft.pk, by=place.root)
    draft.refresh_from_db()
    services.approve(draft_id=draft.pk, by=place.root, **seen(draft))  # type: ignore[arg-type]
    publish(draft)
    assert asked(place) == [5]


def test_yes_sets_the_rooms_switch_and_the_next_reply_goes_by_itself(place: Cast) -> None:
    for _ in range(5):
        reply(place)
    offers.accept(agent_id=place.ada.pk, room_id=place.lounge.pk, by=place.root)
    assert make_draft(place).status == Draft.Status.APPROVED
    assert asked(place) == []
    assert Event.objects.filter(type="agent.draft.offer.accepted").count() == 1
    with pytest.raises(Conflict):
        offers.accept(agent_id=place.ada.pk, room_id=place.lounge.pk, by=place.root)


def test_not_now_is_asked_again_after_ten_more(place: Cast) -> None:
    for _ in range(5):
        reply(place)
    offers.decline(agent_id=place.ada.pk, room_id=place.lounge.pk, by=place.root)
    assert asked(place) == []
    for count in range(10):
        assert asked(place) == []
        draft = reply(place)
        at = clock.now() + timedelta(seconds=count)
        Draft.objects.filter(pk=draft.pk).update(decided_at=at)
    assert asked(place) == [10]


@pytest.mark.parametrize("stranger", ["sam", "olga"])
def test_nobody_else_answers(place: Cast, stranger: str) -> None:
    for _ in range(5):
        reply(place)
    with pytest.raises(NotFound):
        offers.accept(agent_id=place.ada.pk, room_id=place.lounge.pk, by=getattr(place, stranger))
    assert Room.objects.get(pk=place.lounge.pk).reply_mode == "approve"


def test_the_owner_is_told_once(place: Cast) -> None:
    for _ in range(5):
        reply(place)
    notes = Notification.objects.filter(kind__startswith="replies.offer")
    offers.tell_owners()
    offers.tell_owners()
    assert [note.user for note in notes] == [place.root]
    reply(place)
    offers.tell_owners()
    assert notes.count() == 1


@pytest.mark.parametrize("fields", [{"kind": "direct"}, {"is_tryout": True}])
def test_private_talk_is_never_offered(place: Cast, fields: dict[str, object]) -> None:
    for _ in range(5):
        reply(place)
    Room.objects.filter(pk=place.lounge.pk).update(**fields)
    assert asked(place) == []


def test_an_agents_own_rule_is_not_overruled(place: Cast) -> None:
    for _ in range(5):
        reply(place)
    Agent.objects.filter(pk=place.ada.pk).update(approval_rules={"message": "owner"})
    assert asked(place) == []
