"""The claim: one short transaction that locks the stop flags, asks every gate, and takes a lease.

Lock order everywhere: safety flags, then pieces, then drafts. So a stop either commits before a
claim, which then sees it, or waits for the claim's few milliseconds.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from agentapp.drafts import outbox, rules
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication.gates import asked
from agentapp.drafts.publication.shape import outgoing
from agentapp.drafts.services.correcting import hold_correction
from agentapp.drafts.services.deciding import return_to_owner
from agentapp.drafts.trail import note
from agentapp.feedback.services import reward
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.envelope import Outgoing
from agentapp.foundation.prepared import Change, planned, prepared, prepared_update
from agentapp.safety.models import SafetyState
from agentapp.safety.services import lock_states

SEND_TIMEOUT_SECONDS = 5.0  # for one piece, on the wire
LEASE_SECONDS = SEND_TIMEOUT_SECONDS + 2.0
START_WITHIN_SECONDS = LEASE_SECONDS - SEND_TIMEOUT_SECONDS

# The next piece of an agent in a room is due only when the one before it is final, and a file once
# its bytes lie on the platform.
_DUE = """
SELECT o.id, o.agent_id, a.workspace_id
FROM agentapp_outbound o JOIN agentapp_agent a ON a.id = o.agent_id
JOIN agentapp_account login ON login.id = o.account_id
WHERE o.account_id = ANY(%s)
  AND login.lease_holder = %s AND login.lease_until > greenroom_now()
  AND o.not_before <= greenroom_now()
  AND o.state IN ('queued', 'failed')
  AND (o.state = 'queued' OR o.lease_until IS NOT NULL)
  AND (o.file_id IS NULL
       OR EXISTS (SELECT FROM agentapp_draftfile f WHERE f.id = o.file_id AND f.uploaded <> ''))
  AND NOT EXISTS (
      SELECT 1 FROM agentapp_outbound before
      WHERE before.agent_id = o.agent_id AND before.room_id = o.room_id AND before.id < o.id
        AND (before.state IN ('queued', 'publishing', 'unknown')
             OR (before.state = 'failed' AND before.lease_until IS NOT NULL)))
ORDER BY o.not_before, o.id LIMIT %s
"""


def claim_due(*, holder: str, accounts: Sequence[uuid.UUID], limit: int = 20) -> list[Outgoing]:
    """Take due pieces of those of these logins that the holder has, after asking every gate.

    Whoever lost a login without knowing it yet gets nothing of it.

    What a gate stops is held back or returned to its owner, and not part of the answer. Each
    piece may start to leave until its `deadline` on this process's monotonic clock, and is
    `unknown` to others once its lease has run out.

    Writes: Outbound, Draft, Feedback. Announces: what the gates stopped.
    """
    started = time.monotonic()
    with transaction.atomic():
        due = _due(holder, accounts, limit)
        if not due:
            return []
        pairs = [(agent_id, workspace_id) for _, agent_id, workspace_id in due]
        states = lock_states(pairs)
        _lock_agents(agent_id for agent_id, _ in pairs)
        pieces = _lock_pieces([piece_id for piece_id, _, _ in due])
        passed = _ask_gates(pieces, states)
        _lease(passed, holder)
        faults.passing("claim.written")
    faults.passing("piece.claimed")
    deadline = started + START_WITHIN_SECONDS
    return [outgoing(piece, deadline=deadline) for piece in passed]


def _due(holder: str, accounts: Sequence[uuid.UUID], limit: int) -> list[tuple[int, int, int]]:
    with planned() as cursor:
        cursor.execute(_DUE, [list(accounts), holder, limit])
        return list(cursor.fetchall())


def _lock_agents(agent_ids: Iterable[int]) -> None:
    """Make a pause of these agents wait for this claim, or this claim for the pause."""
    with planned() as cursor:
        cursor.execute(
            "SELECT 1 FROM agentapp_agent WHERE id = ANY(%s) ORDER BY id FOR SHARE",
            [sorted(set(agent_ids))],
        )


def _lock_pieces(ids: list[int]) -> list[Outbound]:
    """Lock the pieces, then their drafts; another claimer's pieces are left alone."""
    free = _free(ids=ids)
    _locked_drafts(draft_ids=[draft_id for _, draft_id in free])
    # Read again after the locks: what was read before them may be old.
    return _pieces(ids=[pk for pk, _ in free])


@prepared
def _free(ids: list[int]) -> QuerySet[Outbound, tuple[int, int]]:
    return (
        Outbound.objects.select_for_update(skip_locked=True)
        .filter(pk__any=ids, state__in=[Outbound.State.QUEUED, Outbound.State.FAILED])
        .order_by("pk")
        .values_list("pk", "draft_id")
    )


@prepared
def _locked_drafts(draft_ids: list[int]) -> QuerySet[Draft, int]:
    drafts = Draft.objects.select_for_update().filter(pk__any=draft_ids)
    return drafts.order_by("pk").values_list("pk", flat=True)


@prepared
def _pieces(ids: list[int]) -> QuerySet[Outbound]:
    return (
        Outbound.objects.filter(pk__any=ids)
        .select_related(
            *("draft", "draft__target__author", "draft__agent"),
            *("room", "account", "file", "message"),
        )
        .order_by("pk")
    )


def _ask_gates(pieces: list[Outbound], states: list[SafetyState]) -> list[Outbound]:
    """Return the pieces that may leave, and hold back or return the others."""
    passed: list[Outbound] = []
    for piece, stop in asked(pieces, states):
        if stop is None:
            passed.append(piece)
        elif piece.action == Outbound.Action.EDIT:
            hold_correction(piece, stop.reason)
        else:
            _hold_back(piece.draft, stop)
    return passed


def _hold_back(draft: Draft, stop: rules.Stop) -> None:
    """End or return a locked draft whose piece a gate stopped."""
    if not stop.final and draft.status == Draft.Status.APPROVED and outbox.take_back(draft.pk):
        return_to_owner(draft, by_id=None, what="returned", reason=stop.reason)
        return
    Outbound.objects.filter(
        draft=draft, state__in=[Outbound.State.QUEUED, Outbound.State.FAILED]
    ).update(state=Outbound.State.WITHHELD, error=stop.reason)
    draft.status = Draft.Status.BLOCKED
    draft.reason = stop.reason
    draft.save(update_fields=["status", "reason"])
    note(draft, "blocked", gate=stop.gate, reason=stop.reason)
    note(draft, "updated")


def _lease(pieces: list[Outbound], holder: str) -> None:
    if not pieces:
        return
    _take(ids=[piece.pk for piece in pieces], holder=holder)
    drafts = {piece.draft for piece in pieces if piece.action == Outbound.Action.SEND}
    _publish(draft_ids=[draft.pk for draft in drafts])
    for draft in drafts:
        if draft.decided_by_id is not None:
            # From here on the approval cannot be undone, so now it counts.
            reward(
                agent_id=draft.agent_id,
                workspace_id=draft.workspace_id,
                target_kind="draft",
                target_id=draft.pk,
                source="draft.approved",
                value=rules.REWARD_APPROVED,
            )


@prepared_update
def _take(ids: list[int], holder: str) -> Change:
    return Outbound.objects.filter(pk__any=ids), {
        "state": Outbound.State.PUBLISHING,
        "holder": holder,
        "lease_until": GreenroomNow() + timedelta(seconds=LEASE_SECONDS),
        "attempts": F("attempts") + 1,
        "tried_at": Coalesce("tried_at", GreenroomNow()),
    }


@prepared_update
def _publish(draft_ids: list[int]) -> Change:
    ready = [Draft.Status.APPROVED, Draft.Status.FAILED, Draft.Status.UNKNOWN]
    drafts = Draft.objects.filter(pk__any=draft_ids, status__in=ready)
    return drafts, {"status": Draft.Status.PUBLISHING}


def agents_in_flight(agent_id: int) -> int:
    """Return how many pieces of an agent may be on the wire at this moment."""
    return Outbound.objects.filter(
        agent_id=agent_id,
        state=Outbound.State.PUBLISHING,
        action__in=[Outbound.Action.SEND, Outbound.Action.EDIT],
        lease_until__gt=GreenroomNow(),
    ).count()
