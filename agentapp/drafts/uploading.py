"""Files of approved drafts, laid down on their platform before anything there points to them.

Where a file lies is noted before its piece may be claimed. So a process that ends in between lays
it down twice at most, where nobody sees either; what the room shows comes once.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F, QuerySet

from agentapp.drafts import outbox
from agentapp.drafts.models import Draft, DraftFile, Outbound
from agentapp.drafts.trail import note
from agentapp.files import queries as files
from agentapp.foundation.clock import GreenroomNow
from agentapp.notifications.services import notify
from agentapp.safety.queries import standings

LEASE_SECONDS = 90.0
BACK_OFF_SECONDS = (5, 30, 120, 600)  # after the first, second … attempt
MAX_ATTEMPTS = 6

DUE = """
SELECT file.id, piece.account_id, file.agent_id, file.workspace_id, file.name, file.content_type,
    room.external_id
FROM agentapp_draftfile file
JOIN agentapp_outbound piece ON piece.file_id = file.id
JOIN agentapp_room room ON room.id = piece.room_id
WHERE file.uploaded = '' AND piece.state = 'queued' AND piece.account_id = ANY(%(accounts)s)
    AND piece.not_before <= (SELECT greenroom_now()) AND file.due_at <= (SELECT greenroom_now())
    AND (file.lease_until IS NULL OR file.lease_until <= (SELECT greenroom_now()))
ORDER BY piece.id LIMIT %(limit)s
FOR NO KEY UPDATE OF file SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Unsent:
    """A file that `holder` has to lay down with one login."""

    file_id: int
    holder: str
    account_id: uuid.UUID
    name: str
    content_type: str
    room_external_id: str


@transaction.atomic
def claim_due(*, holder: str, accounts: Sequence[uuid.UUID], limit: int) -> list[Unsent]:
    """Take files of these logins that may go out now; none of an agent that is held back.

    The gates are asked when the piece is claimed; this only keeps work from being done that they
    would stop.
    """
    if limit <= 0:
        return []
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"accounts": list(accounts), "limit": limit})
        rows = cursor.fetchall()
    if not rows:
        return []
    states = standings({(agent_id, workspace_id) for _, _, agent_id, workspace_id, *_ in rows})
    free = [row for row in rows if states[row[2]].hold is None]
    DraftFile.objects.filter(pk__in=[row[0] for row in free]).update(
        holder=holder,
        attempts=F("attempts") + 1,
        lease_until=GreenroomNow() + timedelta(seconds=LEASE_SECONDS),
    )
    return [
        Unsent(pk, holder, account_id, name, content_type, room)
        for pk, account_id, _, _, name, content_type, room in free
    ]


def content_of(unsent: Unsent) -> bytes | None:
    """Return the bytes to lay down, or None when they were deleted meanwhile."""
    stored = DraftFile.objects.filter(pk=unsent.file_id).values_list("file_id", flat=True).first()
    return files.content_of(stored) if stored else None


@transaction.atomic
def note_uploaded(unsent: Unsent, *, where: str) -> bool:
    """Note where a file lies now, and wake the senders. Returns False when it has moved on."""
    noted = _mine(unsent).update(uploaded=where[:600], lease_until=None)
    if noted:
        outbox.wake()
    return bool(noted)


def put_off(unsent: Unsent, *, reason: str) -> None:
    """Leave a file for a later attempt; after the last one its draft is held back."""
    row = _mine(unsent).first()
    if row is None:
        return
    if row.attempts >= MAX_ATTEMPTS:
        give_up(unsent, reason=reason)
        return
    wait = BACK_OFF_SECONDS[min(row.attempts, len(BACK_OFF_SECONDS)) - 1]
    _mine(unsent).update(lease_until=None, due_at=GreenroomNow() + timedelta(seconds=wait))


@transaction.atomic
def give_up(unsent: Unsent, *, reason: str) -> bool:
    """Hold back what is left of a draft whose file the platform will not take; tell its owner.

    Writes: Outbound, Draft, Notification, Event `agent.draft.blocked`. Pieces are locked before
    drafts, as claims do.
    """
    row = _mine(unsent).first()
    if row is None:
        return False
    waiting = list(
        Outbound.objects.select_for_update()
        .filter(draft=row.draft_id, state__in=[Outbound.State.QUEUED, Outbound.State.FAILED])
        .order_by("pk")
    )
    draft = (
        Draft.objects.select_for_update(of=("self",))
        .select_related("agent")
        .filter(
            pk=row.draft_id or 0,
            status__in=[Draft.Status.APPROVED, Draft.Status.PUBLISHING, Draft.Status.FAILED],
        )
        .first()
    )
    if draft is None or not waiting:
        return False
    words = f"{row.name} could not be sent: {reason}"[:400]
    Outbound.objects.filter(pk__in=[piece.pk for piece in waiting]).update(
        state=Outbound.State.WITHHELD, error=words
    )
    draft.status, draft.reason = Draft.Status.BLOCKED, words
    draft.save(update_fields=["status", "reason"])
    note(draft, "blocked", reason=words)
    note(draft, "updated")
    notify(
        user_id=draft.agent.owner_id,
        workspace_id=draft.workspace_id,
        kind="draft.failed",
        subject_kind="draft",
        subject_id=draft.pk,
        text=f"{draft.agent.name}: {words}",
    )
    return True


def _mine(unsent: Unsent) -> QuerySet[DraftFile]:
    return DraftFile.objects.filter(pk=unsent.file_id, holder=unsent.holder, uploaded="")
