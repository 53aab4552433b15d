from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection

from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication import claim_due, mark_sent
from agentapp.drafts.services import Wish, approve, propose
from agentapp.events.models import Event
from agentapp.feedback.models import Feedback
from agentapp.foundation import clock
from agentapp.foundation.errors import Conflict
from agentapp.identity.models import Account
from agentapp.moderation.models import ModerationAction
from agentapp.moderation.services import expire_due, lift, suspend
from agentapp.presence.models import Membership
from agentapp.safety.models import SafetyState
from agentapp.safety.queries import state_for
from tests.cast import Cast, hold_logins

SENDERS = 4
CYCLES = 8


def _waiting(cast: Cast, n: int = 1) -> list[Draft]:
    return [
        propose(
            Wish(
                turn=None,
                agent_id=cast.ada.pk,
                kind="message",
                room_id=cast.lounge.pk,
                text=f"No {i}",
            )
        )
        for i in range(n)
    ]


def _approve(cast: Cast, drafts: list[Draft]) -> None:
    for draft in drafts:
        approve(
            draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root
        )


def test_a_suspension_holds_everything_back_and_empties_the_rooms(cast: Cast) -> None:
    _, approved = _waiting(cast, 2)
    _approve(cast, [approved])

    suspend(agent_id=cast.ada.pk, by=cast.root, reason="rude")

    assert {d.status for d in Draft.objects.filter(agent=cast.ada)} == {"blocked"}
    assert Outbound.objects.get().state == "withheld"
    assert Membership.objects.get(agent=cast.ada).state == "inactive"
    assert Event.objects.filter(type="agent.removed.from.room", agent_id=cast.ada.pk).count() == 1
    assert Feedback.objects.get(source="suspension").value == -2
    hold = state_for(cast.ada.pk)
    assert hold is not None
    assert hold.kind == "suspended"
    assert state_for(cast.bo.pk) is None


def test_proposals_during_and_from_before_a_suspension_are_held_back(cast: Cast) -> None:
    suspend(agent_id=cast.ada.pk, by=cast.root)
    during = _waiting(cast)[0]
    lift(agent_id=cast.ada.pk, by=cast.root)
    before = propose(
        Wish(
            turn=None,
            agent_id=cast.ada.pk,
            kind="message",
            room_id=cast.lounge.pk,
            text="thought of before",
            epoch=0,
        )
    )

    assert (during.status, before.status) == ("blocked", "blocked")
    assert _waiting(cast)[0].status == "pending"


def test_lifting_restores_the_rooms_but_not_what_was_held_back(cast: Cast) -> None:
    draft = _waiting(cast)[0]
    suspend(agent_id=cast.ada.pk, by=cast.root)
    lift(agent_id=cast.ada.pk, by=cast.root)

    draft.refresh_from_db()
    assert draft.status == "blocked"
    assert Membership.objects.get(agent=cast.ada).state == "active"
    with pytest.raises(Conflict):
        lift(agent_id=cast.ada.pk, by=cast.root)


def test_a_timed_suspension_ends_by_itself_even_before_its_tick(cast: Cast) -> None:
    suspend(agent_id=cast.ada.pk, by=cast.root, until=clock.now() + timedelta(hours=1))
    assert state_for(cast.ada.pk) is not None
    past = clock.now() - timedelta(seconds=1)
    SafetyState.objects.filter(agent=cast.ada).update(suspended_until=past)
    ModerationAction.objects.update(until=past)

    assert state_for(cast.ada.pk) is None
    assert (expire_due(), expire_due()) == (1, 0)
    assert Membership.objects.get(agent=cast.ada).state == "active"


def test_a_second_suspension_is_refused(cast: Cast) -> None:
    suspend(agent_id=cast.ada.pk, by=cast.root)
    with pytest.raises(Conflict):
        suspend(agent_id=cast.ada.pk, by=cast.root)


@pytest.mark.django_db(transaction=True)
def test_suspending_waits_for_what_is_on_the_wire(live_cast: Cast) -> None:
    _approve(live_cast, _waiting(live_cast))
    Outbound.objects.update(not_before=clock.now())
    accounts = list(Account.objects.values_list("pk", flat=True))
    hold_logins("sender")
    (piece,) = claim_due(holder="sender", accounts=accounts)
    settled_at: list[float] = []

    def finish() -> None:
        time.sleep(0.5)
        settled_at.append(time.monotonic())  # before: others see the commit before this thread does
        mark_sent(outbound_id=piece.outbound_id, holder="sender", external_id="x")
        connection.close()

    sender = threading.Thread(target=finish)
    sender.start()
    suspend(agent_id=live_cast.ada.pk, by=live_cast.root)
    returned_at = time.monotonic()
    sender.join()

    assert settled_at
    assert returned_at >= settled_at[0]


@pytest.mark.django_db(transaction=True)
def test_no_send_begins_after_a_suspension_returned(live_cast: Cast) -> None:
    accounts = list(Account.objects.values_list("pk", flat=True))
    hold_logins("sender")
    returned = threading.Event()
    finished = threading.Event()
    begun_late, begun = list[int](), list[int]()

    def sender() -> None:
        while not finished.is_set():
            suspended_before = returned.is_set()
            for piece in claim_due(holder="sender", accounts=accounts, limit=3):
                (begun_late if suspended_before else begun).append(piece.outbound_id)
                time.sleep(0.002)
                mark_sent(
                    outbound_id=piece.outbound_id,
                    holder="sender",
                    external_id=piece.dedupe_key,
                )
        connection.close()

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(CYCLES):
            _approve(live_cast, _waiting(live_cast, 6))
            Outbound.objects.filter(state="queued").update(not_before=clock.now())
            time.sleep(0.02)
            suspend(agent_id=live_cast.ada.pk, by=live_cast.root)
            returned.set()
            time.sleep(0.03)
            assert not Outbound.objects.filter(state__in=["queued", "publishing"]).exists()
            returned.clear()
            lift(agent_id=live_cast.ada.pk, by=live_cast.root)
    finally:
        finished.set()
        for thread in threads:
            thread.join()

    assert begun
    assert begun_late == []
