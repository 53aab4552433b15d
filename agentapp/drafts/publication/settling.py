"""What became of a piece: sent or failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet

from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services.correcting import note_corrected, tell_not_corrected
from agentapp.drafts.trail import note, note_all
from agentapp.foundation import clock, faults
from agentapp.foundation.prepared import planned, prepared
from agentapp.notifications.services import notify

MAX_ATTEMPTS = 5
BACK_OFF_SECONDS = (1, 5, 20, 60)  # after the first, second … failed attempt

_SENT = """
UPDATE agentapp_outbound piece
SET state = 'sent', lease_until = NULL, external_id = said.name, message_id = said.message
FROM unnest(%(ids)s::bigint[], %(names)s::text[], %(messages)s::bigint[])
    AS said(id, name, message)
WHERE piece.id = said.id
"""
_ENDED = """
UPDATE agentapp_draft draft
SET status = %(status)s, reason = %(reason)s, published_at = ended.published_at,
    metadata = ended.metadata::jsonb
FROM unnest(%(ids)s::bigint[], %(published)s::timestamptz[], %(metadata)s::text[])
    AS ended(id, published_at, metadata)
WHERE draft.id = ended.id
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """A piece that its platform has, and the platform's name for it."""

    outbound_id: int
    external_id: str
    message_id: int | None = None


def mark_sent(
    *, outbound_id: int, holder: str, external_id: str, message_id: int | None = None
) -> bool:
    """Note one piece as `mark_all_sent` does. Returns False when somebody else settled it."""
    sent = Sent(outbound_id, external_id, message_id)
    return bool(mark_all_sent(holder=holder, sent=[sent]))


@transaction.atomic
def mark_all_sent(*, holder: str, sent: Sequence[Sent]) -> set[int]:
    """Note that the platform has these pieces; return the ids that still counted.

    Somebody else settled the others. A sender that comes back after its lease may still say so:
    sending is idempotent by key. Costs the same few statements for one piece and for a hundred.

    Writes: Outbound, Draft, Event `agent.draft.published` or `agent.draft.retracted`.
    """
    said = {piece.outbound_id: piece for piece in sent}
    pieces = _mine_of(holder=holder, ids=list(said))
    for piece in pieces:
        piece.external_id = said[piece.pk].external_id
        if piece.action == Outbound.Action.SEND:
            piece.message_id = said[piece.pk].message_id
    with planned() as cursor:
        cursor.execute(
            _SENT,
            {
                "ids": [piece.pk for piece in pieces],
                "names": [piece.external_id for piece in pieces],
                "messages": [piece.message_id for piece in pieces],
            },
        )
    _settle_drafts(pieces)
    faults.passing("piece.marked")
    return {piece.pk for piece in pieces}


@transaction.atomic
def mark_failed(*, outbound_id: int, holder: str, error: str, final: bool = False) -> bool:
    """Note that a piece did not reach its platform; it is tried again unless that is final.

    A final failure withholds the pieces behind it and tells the owner.
    """
    piece = mine(outbound_id, holder)
    if piece is None or piece.state != Outbound.State.PUBLISHING:
        return False
    gives_up = final or piece.attempts >= MAX_ATTEMPTS
    wait = BACK_OFF_SECONDS[min(piece.attempts, len(BACK_OFF_SECONDS)) - 1]
    piece.state = Outbound.State.FAILED
    piece.error = error[:400]
    # A failed piece without a lease is at rest; with one it waits for its next attempt.
    piece.lease_until = None if gives_up else clock.now()
    piece.not_before = clock.now() + timedelta(seconds=wait)
    piece.save(update_fields=["state", "error", "lease_until", "not_before"])
    draft = Draft.objects.select_for_update().get(pk=piece.draft_id)
    if piece.action == Outbound.Action.SEND:
        move(draft, Draft.Status.FAILED, reason=piece.error)
    if gives_up and piece.action == Outbound.Action.EDIT:
        tell_not_corrected(draft, piece.error)
    elif gives_up:
        Outbound.objects.filter(draft=draft, state=Outbound.State.QUEUED).update(
            state=Outbound.State.WITHHELD
        )
        _tell_owner(draft, piece.error)
    return True


def _held(holder: str) -> QuerySet[Outbound]:
    return Outbound.objects.select_for_update().filter(
        holder=holder, state__in=[Outbound.State.PUBLISHING, Outbound.State.UNKNOWN]
    )


@prepared
def _mine_of(holder: str, ids: list[int]) -> QuerySet[Outbound]:
    return _held(holder).filter(pk__any=ids).order_by("pk")


def mine(outbound_id: int, holder: str) -> Outbound | None:
    """Lock and return a piece that this holder has on its way; None when it has it no more."""
    return _held(holder).filter(pk=outbound_id).first()


def _settle_drafts(pieces: list[Outbound]) -> None:
    """Move on the drafts whose last piece was just sent, corrected or taken back."""
    last = {(piece.draft_id, piece.action): piece for piece in pieces}
    ids = {draft_id for draft_id, _ in last}
    drafts = {draft.pk: draft for draft in _locked_drafts(ids=list(ids))}
    for unsent in _unsent(draft_ids=list(ids)):
        last.pop(unsent, None)
    note_corrected(
        [(drafts[each.draft_id], each) for each in pieces if each.action == Outbound.Action.EDIT]
    )
    taken_back = {key[0] for key in last if key[1] == Outbound.Action.RETRACT}
    published = {
        pk: piece
        for (pk, action), piece in last.items()
        if action == Outbound.Action.SEND and pk not in taken_back
    }
    _end([drafts[pk] for pk in sorted(taken_back)], Draft.Status.RETRACTED, reason="Taken back.")
    now = clock.now() if published else None
    for pk, piece in published.items():
        drafts[pk].published_at = now
        drafts[pk].metadata = {
            **drafts[pk].metadata,
            "originalDraftId": pk,
            "messageId": piece.message_id,
        }
    _end([drafts[pk] for pk in sorted(published)], Draft.Status.PUBLISHED)


@prepared
def _locked_drafts(ids: list[int]) -> QuerySet[Draft]:
    return Draft.objects.select_for_update().filter(pk__any=ids).order_by("pk")


@prepared
def _unsent(draft_ids: list[int]) -> QuerySet[Outbound, tuple[int, str]]:
    pieces = Outbound.objects.filter(draft_id__any=draft_ids).exclude(state=Outbound.State.SENT)
    return pieces.values_list("draft_id", "action")


def _end(drafts: list[Draft], status: str, *, reason: str = "") -> None:
    drafts = [draft for draft in drafts if draft.status != status]
    if not drafts:
        return
    for draft in drafts:
        draft.status = status
        draft.reason = reason
    with planned() as cursor:
        cursor.execute(
            _ENDED,
            {
                "ids": [draft.pk for draft in drafts],
                "status": status,
                "reason": reason,
                "published": [draft.published_at for draft in drafts],
                "metadata": [json.dumps(draft.metadata) for draft in drafts],
            },
        )
    note_all(drafts, str(status), reason=reason)


def move(draft: Draft, status: str, *, reason: str) -> None:
    """Move a locked draft on, and say so, unless it is there already."""
    if draft.status == status:
        return
    draft.status = status
    draft.reason = reason
    draft.save(update_fields=["status", "reason"])
    note(draft, str(status), reason=reason)


def _tell_owner(draft: Draft, error: str) -> None:
    notify(
        user_id=draft.agent.owner_id,
        workspace_id=draft.workspace_id,
        kind="draft.failed",
        subject_kind="draft",
        subject_id=draft.pk,
        text=f"{draft.agent.name} could not send a {draft.kind}: {error}",
    )
