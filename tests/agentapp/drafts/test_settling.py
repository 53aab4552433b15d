from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication import (
    Sent,
    claim_due,
    mark_all_sent,
    mark_failed,
    mark_sent,
    mark_unknown,
    reclaim_lost,
    resolve_unknown,
    unknown_due,
)
from agentapp.drafts.services import Wish, approve, propose, retract, undo
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.envelope import Outgoing
from agentapp.identity.models import Account
from agentapp.notifications.models import Notification
from tests.cast import Cast, hold_logins, make_message


def on_the_wire(cast: Cast, text: str = "Good evening.") -> tuple[Draft, Outgoing]:
    draft = propose(
        Wish(turn=None, agent_id=cast.ada.pk, kind="message", room_id=cast.lounge.pk, text=text)
    )
    approve(draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root)
    return draft, claim(cast)[0]


def claim(cast: Cast) -> list[Outgoing]:
    Outbound.objects.update(not_before=clock.now())
    accounts = list(Account.objects.filter(workspace=cast.workspace).values_list("pk", flat=True))
    hold_logins("me")
    return claim_due(holder="me", accounts=accounts)


def accounts(cast: Cast) -> list[object]:
    return list(Account.objects.filter(workspace=cast.workspace).values_list("pk", flat=True))


def test_a_sent_piece_publishes_its_draft_and_points_to_its_message(cast: Cast) -> None:
    draft, piece = on_the_wire(cast)
    message = make_message(cast, cast.sam, "stands for the published message")

    assert mark_sent(
        outbound_id=piece.outbound_id, holder="me", external_id="x1", message_id=message.pk
    )

    draft.refresh_from_db()
    assert draft.status == "published"
    assert draft.metadata["originalDraftId"] == draft.pk
    assert draft.metadata["approvedAt"]
    assert Outbound.objects.get().message == message


def test_somebody_else_cannot_settle_my_piece(cast: Cast) -> None:
    _, piece = on_the_wire(cast)

    assert not mark_sent(outbound_id=piece.outbound_id, holder="thief", external_id="x1")
    assert Outbound.objects.get().state == "publishing"


def test_many_arrivals_cost_as_many_statements_as_one(cast: Cast) -> None:
    _, first = on_the_wire(cast)
    with CaptureQueriesContext(connection) as one:
        assert mark_all_sent(holder="me", sent=[Sent(first.outbound_id, "x0")])
    drafts = [
        propose(
            Wish(turn=None, agent_id=agent.pk, kind="message", room_id=cast.lounge.pk, text="Hm.")
        )
        for agent in (cast.ada, cast.bo)
    ]
    for draft in drafts:
        approve(
            draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root
        )
    pieces = claim(cast)

    with CaptureQueriesContext(connection) as two:
        settled = mark_all_sent(
            holder="me", sent=[Sent(piece.outbound_id, piece.dedupe_key) for piece in pieces]
        )

    assert settled == {piece.outbound_id for piece in pieces}
    assert len(two) == len(one)
    assert {draft.status for draft in Draft.objects.all()} == {"published"}
    named = {row.dedupe_key: row.external_id for row in Outbound.objects.filter(pk__in=settled)}
    assert all(key == external_id for key, external_id in named.items())
    events = Event.objects.filter(type="agent.draft.published")
    assert {event.agent_id for event in events} == {cast.ada.pk, cast.bo.pk}


def test_of_many_arrivals_only_those_that_are_mine_count(cast: Cast) -> None:
    _, piece = on_the_wire(cast)

    settled = mark_all_sent(holder="me", sent=[Sent(piece.outbound_id, "x1"), Sent(0, "x2")])

    assert settled == {piece.outbound_id}
    assert not mark_all_sent(holder="me", sent=[Sent(piece.outbound_id, "x1")])


def test_a_failure_is_tried_again_later_and_gives_up_after_five(cast: Cast) -> None:
    draft, piece = on_the_wire(cast)
    for attempt in range(1, 6):
        assert mark_failed(outbound_id=piece.outbound_id, holder="me", error="timeout")
        row = Outbound.objects.get()
        assert row.not_before > clock.now()
        again = claim(cast)
        assert len(again) == (1 if attempt < 5 else 0)

    draft.refresh_from_db()
    assert draft.status == "failed"
    assert Notification.objects.get(kind="draft.failed").user == cast.root


def test_a_final_failure_withholds_what_comes_after(cast: Cast) -> None:
    draft, piece = on_the_wire(cast, "word " * 4_000)
    assert draft.pieces.count() > 1

    mark_failed(outbound_id=piece.outbound_id, holder="me", error="banned", final=True)

    assert claim(cast) == []
    states = set(draft.pieces.exclude(pk=piece.outbound_id).values_list("state", flat=True))
    assert states == {"withheld"}


def test_a_dead_sender_leaves_an_unknown_piece_that_is_read_back_first(cast: Cast) -> None:
    draft, piece = on_the_wire(cast)
    Outbound.objects.update(lease_until=clock.now() - timedelta(seconds=1))

    assert (reclaim_lost(), reclaim_lost()) == (1, 0)
    draft.refresh_from_db()
    assert draft.status == "unknown"
    assert claim(cast) == []  # never resent blindly

    hold_logins("other")
    (question,) = unknown_due(holder="other", accounts=accounts(cast))  # type: ignore[arg-type]
    assert question.dedupe_key == piece.dedupe_key
    assert resolve_unknown(outbound_id=piece.outbound_id, holder="other", external_id="x1")
    draft.refresh_from_db()
    assert draft.status == "published"


def test_an_unknown_piece_that_never_arrived_is_sent_again_with_the_same_key(cast: Cast) -> None:
    draft, piece = on_the_wire(cast)
    mark_unknown(outbound_id=piece.outbound_id, holder="me", error="no answer")
    unknown_due(holder="me", accounts=accounts(cast))  # type: ignore[arg-type]

    assert resolve_unknown(outbound_id=piece.outbound_id, holder="me", external_id=None)
    (again,) = claim(cast)

    assert again.dedupe_key == piece.dedupe_key
    draft.refresh_from_db()
    assert draft.status == "publishing"


def test_a_published_draft_is_taken_back_from_its_platform(cast: Cast) -> None:
    draft, piece = on_the_wire(cast)
    mark_sent(outbound_id=piece.outbound_id, holder="me", external_id="x1")

    retract(draft_id=draft.pk, by=cast.root)
    retract(draft_id=draft.pk, by=cast.root)
    (order,) = claim(cast)

    assert (order.kind, order.extra["external_id"]) == ("retract", "x1")
    mark_sent(outbound_id=order.outbound_id, holder="me", external_id="x1")
    draft.refresh_from_db()
    assert draft.status == "retracted"


def test_the_database_refuses_moves_that_are_not_drawn(cast: Cast) -> None:
    draft, _ = on_the_wire(cast)

    with (
        pytest.raises(IntegrityError, match="may not go from publishing to pending"),
        transaction.atomic(),
    ):
        Draft.objects.filter(pk=draft.pk).update(status="pending")


@pytest.mark.django_db(transaction=True)
def test_undo_after_the_claim_is_too_late(live_cast: Cast) -> None:
    draft, _ = on_the_wire(live_cast)

    with pytest.raises(Exception, match="on its way"):
        undo(draft_id=draft.pk, by=live_cast.root)
