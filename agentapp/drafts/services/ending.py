"""How drafts end without a decision: expiry, staleness, suspension. Bounded, safe to repeat."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection

from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from agentapp.conversation.models import Message
from agentapp.drafts import rules
from agentapp.drafts.models import Draft, Outbound
from agentapp.events.models import Event
from agentapp.events.services import record_many
from agentapp.foundation import clock, faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.notifications.services import notify

BATCH = 500  # drafts per tick
_WITHDRAWN_FROM = (Draft.Status.PENDING, Draft.Status.APPROVED, Draft.Status.FAILED)


@transaction.atomic
def expire_due() -> int:
    """End waiting drafts whose time is over. Returns how many."""
    rows = _locked(
        Draft.objects.filter(status=Draft.Status.PENDING, expires_at__lte=GreenroomNow())
    )
    reason = "Nobody decided in time."
    ended = _end(rows, status=Draft.Status.EXPIRED, what="expired", reason=reason)
    faults.passing("expiry.written")
    return ended


@transaction.atomic
def withdraw_stale() -> int:
    """Withdraw chat replies that their conversation has left behind. Returns how many."""
    newer = (
        Message.objects.filter(room=OuterRef("room"), pk__gt=OuterRef("room_seen"), is_known=True)
        .order_by()
        .values("room")
        .annotate(n=Count("pk"))
        .values("n")
    )
    rows = _locked(
        Draft.objects.filter(status=Draft.Status.PENDING, kind=Draft.Kind.MESSAGE)
        .annotate(newer=Coalesce(Subquery(newer), 0))
        .filter(Q(stale_at__lte=GreenroomNow()) | Q(newer__gte=rules.STALE_AFTER_MESSAGES))
    )
    return _end(
        rows, status=Draft.Status.WITHDRAWN, what="withdrawn", reason="The conversation moved on."
    )


@transaction.atomic
def warn_expiring() -> int:
    """Tell each owner once, in one line, which drafts end within a day. Returns how many drafts."""
    rows = _locked(
        Draft.objects.filter(
            status=Draft.Status.PENDING,
            warned_at__isnull=True,
            expires_at__lte=GreenroomNow() + rules.WARN_BEFORE,
        )
    )
    if not rows:
        return 0
    Draft.objects.filter(pk__in=[row.pk for row in rows]).update(warned_at=GreenroomNow())
    day = clock.now().date()
    per_owner = Counter((row.agent.owner_id, row.workspace_id) for row in rows)
    for (owner_id, workspace_id), count in per_owner.items():
        first = next(row for row in rows if row.agent.owner_id == owner_id)
        notify(
            user_id=owner_id,
            workspace_id=workspace_id,
            kind=f"draft.expiring.{day:%Y%m%d}",
            subject_kind="draft",
            subject_id=first.pk,
            text=f"{count} draft{'s' if count > 1 else ''} will expire within a day.",
        )
    record_many(_event(row, "expiring", row.reason) for row in rows)
    return len(rows)


def block_open(*, agent_id: int, reason: str) -> int:
    """Hold back everything of an agent that has not left, inside the caller's transaction.

    Pieces are locked before drafts, as claims do. Returns how many drafts.
    """
    return _block(Outbound.objects.filter(agent_id=agent_id), Q(agent_id=agent_id), reason)


def block_login(*, account_id: uuid.UUID, reason: str) -> int:
    """Hold back everything that was released and waits for a login, as `block_open` does."""
    pieces = Outbound.objects.filter(account_id=account_id)
    return _block(pieces, Q(pieces__account_id=account_id), reason)


def withdraw_to(*, people: Collection[int], rooms: Collection[int] | None, reason: str) -> int:
    """Withdraw what answers these people and has not left, inside the caller's transaction.

    Pieces are locked before drafts, as claims do.

    Args:
        rooms: Only in these; None is anywhere.

    Returns:
        How many drafts.
    """
    answers = Q(person__in=people) | Q(target__author__person__in=people)
    if rooms is not None:
        answers &= Q(room__in=rooms)
    chosen = Draft.objects.filter(answers, status__in=_WITHDRAWN_FROM)
    ids = list(chosen.values_list("pk", flat=True))
    pieces = Outbound.objects.filter(draft__in=ids)
    drafts = Q(pk__in=ids, status__in=_WITHDRAWN_FROM)
    return _stop(pieces, drafts, reason, status=Draft.Status.WITHDRAWN, what="withdrawn")


def _block(pieces: QuerySet[Outbound], drafts: Q, reason: str) -> int:
    return _stop(pieces, drafts, reason, status=Draft.Status.BLOCKED, what="blocked")


def _stop(pieces: QuerySet[Outbound], drafts: Q, reason: str, *, status: str, what: str) -> int:
    waiting = list(
        pieces.select_for_update()
        .filter(
            action__in=[Outbound.Action.SEND, Outbound.Action.EDIT],
            state__in=[Outbound.State.QUEUED, Outbound.State.FAILED],
        )
        .order_by("pk")
    )
    open_ = Draft.objects.filter(
        drafts,
        status__in=[
            Draft.Status.PROPOSED,
            Draft.Status.PENDING,
            Draft.Status.APPROVED,
            Draft.Status.FAILED,
        ],
    )
    rows = list(
        Draft.objects.select_for_update(of=("self",))
        .select_related("agent")
        .filter(pk__in=open_.values("pk"))
        .order_by("pk")
    )
    Outbound.objects.filter(pk__in=[piece.pk for piece in waiting]).update(
        state=Outbound.State.WITHHELD, error=reason
    )
    return _end(rows, status=status, what=what, reason=reason)


def _locked(rows: QuerySet[Draft]) -> list[Draft]:
    return list(
        rows.select_for_update(of=("self",), skip_locked=True)
        .select_related("agent")
        .order_by("pk")[:BATCH]
    )


def _end(rows: list[Draft], *, status: str, what: str, reason: str) -> int:
    for row in rows:
        row.status = status
    Draft.objects.filter(pk__in=[row.pk for row in rows]).update(status=status, reason=reason)
    record_many(_event(row, kind, reason) for row in rows for kind in (what, "updated"))
    return len(rows)


def _event(row: Draft, what: str, reason: str) -> Event:
    return Event(
        type=f"agent.draft.{what}",
        subject_kind="draft",
        subject_id=str(row.pk),
        workspace_id=row.workspace_id,
        agent_id=row.agent_id,
        room_id=row.room_id,
        actor_kind="system",
        payload={"kind": row.kind, "status": row.status, "reason": reason},
    )
