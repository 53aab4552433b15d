"""Pieces of which nobody knows whether they arrived: found, read back, settled."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction

from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.publication.settling import mark_failed, mark_sent, mine, move
from agentapp.drafts.publication.shape import outgoing
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.envelope import Outgoing

READ_BACK_WITHIN_SECONDS = 5.0
BATCH = 200


@transaction.atomic
def mark_unknown(*, outbound_id: int, holder: str, error: str) -> bool:
    """Note that bytes left and no answer came; the platform is read back before any resend."""
    piece = mine(outbound_id, holder)
    if piece is None or piece.state != Outbound.State.PUBLISHING:
        return False
    _to_unknown([piece], error)
    return True


@transaction.atomic
def reclaim_lost() -> int:
    """Turn pieces whose sender died into unknown ones. Returns how many."""
    lost = list(
        Outbound.objects.select_for_update(skip_locked=True)
        .filter(state=Outbound.State.PUBLISHING, lease_until__lte=GreenroomNow())
        .order_by("pk")[:BATCH]
    )
    _to_unknown(lost, "Its sender stopped before the platform answered.")
    if lost:
        faults.passing("lost.written")
    return len(lost)


@transaction.atomic
def unknown_due(*, holder: str, accounts: Sequence[uuid.UUID]) -> list[Outgoing]:
    """Lease unknown pieces of those of these logins that the holder has, the oldest first.

    They are for reading back.
    """
    pieces = list(
        Outbound.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("draft", "draft__target", "room", "account", "file")
        .filter(
            state=Outbound.State.UNKNOWN,
            account_id__in=accounts,
            account__lease_holder=holder,
            account__lease_until__gt=GreenroomNow(),
            not_before__lte=GreenroomNow(),
        )
        .order_by("pk")[:BATCH]
    )
    Outbound.objects.filter(pk__in=[piece.pk for piece in pieces]).update(
        holder=holder, not_before=GreenroomNow() + timedelta(seconds=READ_BACK_WITHIN_SECONDS)
    )
    deadline = time.monotonic() + READ_BACK_WITHIN_SECONDS
    if pieces:
        faults.passing("unknown.leased")
    return [outgoing(piece, deadline=deadline) for piece in pieces]


@transaction.atomic
def resolve_unknown(
    *, outbound_id: int, holder: str, external_id: str | None, message_id: int | None = None
) -> bool:
    """Settle an unknown piece by what the platform showed.

    Found: it is sent. Not found (`external_id` None): it never arrived and is queued for another
    attempt, which asks every gate again.
    """
    if external_id is not None:
        return mark_sent(
            outbound_id=outbound_id, holder=holder, external_id=external_id, message_id=message_id
        )
    piece = mine(outbound_id, holder)
    if piece is None or piece.state != Outbound.State.UNKNOWN:
        return False
    # The moves of the database lead from unknown through publishing to failed.
    Outbound.objects.filter(pk=piece.pk).update(state=Outbound.State.PUBLISHING)
    if piece.action == Outbound.Action.SEND:
        Draft.objects.filter(pk=piece.draft_id, status=Draft.Status.UNKNOWN).update(
            status=Draft.Status.PUBLISHING
        )
    is_settled = mark_failed(outbound_id=outbound_id, holder=holder, error="It had not arrived.")
    faults.passing("unknown.settled")
    return is_settled


def _to_unknown(pieces: list[Outbound], error: str) -> None:
    Outbound.objects.filter(pk__in=[piece.pk for piece in pieces]).update(
        state=Outbound.State.UNKNOWN,
        error=error[:400],
        not_before=GreenroomNow(),
        lease_until=None,
    )
    ids = {piece.draft_id for piece in pieces if piece.action == Outbound.Action.SEND}
    for draft in Draft.objects.select_for_update().filter(pk__in=ids).order_by("pk"):
        move(draft, Draft.Status.UNKNOWN, reason="Checking whether it arrived.")
