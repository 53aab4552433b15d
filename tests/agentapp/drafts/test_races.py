"""Two hands at once: exactly one outcome each time, and the other hand is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from agentapp.drafts import rules
from agentapp.drafts.errors import PendingLimitReached
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication import claim_due
from agentapp.drafts.services import Wish, approve, expire_due, propose, reject, undo
from agentapp.foundation import clock
from agentapp.foundation.errors import AgentError
from agentapp.identity.models import Account
from tests.cast import Cast, hold_logins

ROUNDS = 25
WRITERS = 64

pytestmark = pytest.mark.django_db(transaction=True)


def together(*acts: Callable[[], object]) -> list[object]:
    """Run acts at the same moment on connections of their own; return results or errors."""
    barrier = threading.Barrier(len(acts))
    results: list[object] = [None] * len(acts)

    def run(n: int, act: Callable[[], object]) -> None:
        barrier.wait()
        try:
            results[n] = act()
        except AgentError as error:
            results[n] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def waiting(cast: Cast) -> Draft:
    return propose(
        Wish(
            turn=None, agent_id=cast.ada.pk, kind="post", room_id=cast.lounge.pk, text="A thought."
        )
    )


def approval(cast: Cast, draft: Draft) -> Callable[[], Draft]:
    return lambda: approve(
        draft_id=draft.pk, version=draft.version, content_hash=draft.content_hash, by=cast.root
    )


def winners(results: list[object]) -> int:
    return sum(not isinstance(result, AgentError) for result in results)


def test_of_two_approvals_one_counts(live_cast: Cast) -> None:
    for _ in range(ROUNDS):
        draft = waiting(live_cast)
        assert winners(together(approval(live_cast, draft), approval(live_cast, draft))) == 1
        assert Outbound.objects.filter(draft=draft).count() == 1


def test_approving_and_rejecting_give_one_outcome(live_cast: Cast) -> None:
    seen = set()
    for _ in range(ROUNDS):
        draft = waiting(live_cast)
        results = together(
            approval(live_cast, draft),
            lambda draft=draft: reject(draft_id=draft.pk, by=live_cast.root),  # type: ignore[misc]
        )
        assert winners(results) == 1
        draft.refresh_from_db()
        seen.add(draft.status)
        assert Outbound.objects.filter(draft=draft).count() == (draft.status == "approved")
    assert seen <= {"approved", "rejected"}


def test_approving_and_expiring_never_both_happen(live_cast: Cast) -> None:
    for n in range(ROUNDS):
        draft = waiting(live_cast)
        Draft.objects.filter(pk=draft.pk).update(
            expires_at=clock.now() + timedelta(milliseconds=n % 10)
        )
        results = together(approval(live_cast, draft), expire_due)
        expire_due()
        draft.refresh_from_db()
        approved = not isinstance(results[0], AgentError)
        if approved:
            assert draft.status == "approved"
        assert Outbound.objects.filter(draft=draft).count() == approved


def test_undo_and_claim_give_one_outcome(live_cast: Cast) -> None:
    accounts = list(Account.objects.values_list("pk", flat=True))
    hold_logins("me")
    for _ in range(ROUNDS):
        draft = waiting(live_cast)
        approval(live_cast, draft)()
        Outbound.objects.filter(draft=draft).update(not_before=clock.now())
        undone, claimed = together(
            lambda draft=draft: undo(draft_id=draft.pk, by=live_cast.root),  # type: ignore[misc]
            lambda: claim_due(holder="me", accounts=accounts),
        )
        draft.refresh_from_db()
        assert (draft.status == "pending") == isinstance(undone, Draft)
        assert bool(claimed) == (draft.status == "publishing")
        Outbound.objects.filter(draft=draft).update(state="sent")


def test_sixty_four_writers_never_pass_the_cap(live_cast: Cast) -> None:
    results = together(*[lambda: waiting(live_cast) for _ in range(WRITERS)])

    refused = [result for result in results if isinstance(result, PendingLimitReached)]
    assert winners(results) == rules.MAX_PENDING_DRAFTS
    assert len(refused) == WRITERS - rules.MAX_PENDING_DRAFTS
    pending = Draft.objects.filter(agent=live_cast.ada, status="pending").count()
    assert pending == rules.MAX_PENDING_DRAFTS
