"""What an owner does with a draft. Every move is one conditional update; one hand wins."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q

from agentapp.conversation.models import Message
from agentapp.drafts import outbox, rules
from agentapp.drafts.errors import (
    DraftChanged,
    DraftNotPending,
    DraftStale,
    TooLateToUndo,
    Unspeakable,
)
from agentapp.drafts.models import Draft, DraftRevision, Outbound
from agentapp.drafts.services.carrying import fingerprint
from agentapp.drafts.trail import note
from agentapp.feedback.services import reward
from agentapp.foundation import clock, faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Invalid
from agentapp.foundation.text import is_visible, normalised, one_line
from agentapp.identity.models import User
from agentapp.safety.screen import screen

UNDO_RANGE = (0, 60)  # seconds


@transaction.atomic
def edit(
    *,
    draft_id: int,
    version: int,
    by: User,
    text: str | None = None,
    emoji: str | None = None,
) -> Draft:
    """Change a waiting draft's text; what was there before is kept as a revision.

    Raises:
        DraftNotPending: Somebody decided first. Nothing is written.
        DraftChanged: `version` is not the current one. Nothing is written.
        Unspeakable: Nothing would be left to say.
        Invalid: The screen would hold the new text back.
    """
    draft = _pending(draft_id, version=version)
    _apply_edit(draft, text=text, emoji=emoji, by=by)
    note(draft, "edited", by_id=by.pk)
    note(draft, "updated", by_id=by.pk)
    faults.passing("edit.written")
    return draft


def approve(
    *,
    draft_id: int,
    version: int,
    content_hash: str,
    by: User,
    via: str = "dashboard",
    edits: str | None = None,
) -> Draft:
    """Release what was seen, and only that, after the seconds in which it can be undone.

    `edits` replaces the text in the same step. A chat reply whose room has moved on is
    withdrawn instead.

    Writes: Draft, DraftRevision, Outbound. Announces: `agent.draft.approved`, after commit. The
    reward for the approval is given when the draft leaves, because until then it can be undone.

    Raises:
        DraftNotPending: Somebody decided first, or it expired. Nothing is written.
        DraftChanged: Another version or another text than the one seen. Nothing is written.
        DraftStale: The conversation moved on; the draft is withdrawn.
    """
    with transaction.atomic():
        draft = _pending(draft_id, version=version)
        if draft.content_hash != content_hash:
            raise DraftChanged
        if not withdraw_if_stale(draft, by=by):
            if edits is not None:
                _apply_edit(draft, text=edits, emoji=None, by=by)
            _release(draft, by=by, via=via)
            faults.passing("approval.written")
            return draft
    raise DraftStale


@transaction.atomic
def reject(*, draft_id: int, by: User, reason: str = "", chip: str = "") -> Draft:
    """Refuse a waiting draft; the agent is told why by a negative reward.

    Raises:
        DraftNotPending: Somebody decided first. Nothing is written.
    """
    draft = _pending(draft_id)
    draft.status = Draft.Status.REJECTED
    draft.reason = one_line(chip or reason, limit=400)
    draft.metadata = {**draft.metadata, "rejection": {"chip": chip, "reason": reason[:400]}}
    _decided(draft, by=by, via="dashboard")
    draft.save()
    note(draft, "rejected", by_id=by.pk, reason=draft.reason)
    reward(
        agent_id=draft.agent_id,
        workspace_id=draft.workspace_id,
        target_kind="draft",
        target_id=draft.pk,
        source="draft.rejected",
        value=rules.REWARD_REJECTED,
        note=draft.reason,
    )
    faults.passing("rejection.written")
    return draft


@transaction.atomic
def snooze(*, draft_id: int, until: datetime, by: User) -> Draft:
    """Hide a waiting draft until a time, at the latest its expiry."""
    draft = _pending(draft_id)
    if until <= clock.now():
        raise Invalid("Choose a time in the future.")
    draft.snoozed_until = min(until, draft.expires_at)
    draft.save(update_fields=["snoozed_until"])
    note(draft, "snoozed", by_id=by.pk)
    return draft


@transaction.atomic
def undo(*, draft_id: int, by: User) -> Draft:
    """Bring an approved draft back to waiting, while nothing of it has left.

    Raises:
        TooLateToUndo: A piece is on its way, or was. Nothing is written.
    """
    if not outbox.take_back(draft_id):
        raise TooLateToUndo
    draft = Draft.objects.select_for_update().filter(pk=draft_id).first()
    if draft is None or draft.status != Draft.Status.APPROVED:
        raise TooLateToUndo
    draft = return_to_owner(draft, by_id=by.pk, what="undone", reason="")
    faults.passing("undo.written")
    return draft


def return_to_owner(draft: Draft, *, by_id: int | None, what: str, reason: str) -> Draft:
    """Move a locked, approved draft whose pieces are gone back to waiting."""
    draft.status = Draft.Status.PENDING
    draft.approval = Draft.Approval.OWNER
    draft.version += 1
    draft.reason = reason
    draft.decided_by = None
    draft.decided_at = None
    draft.decided_via = ""
    draft.save()
    note(draft, what, by_id=by_id, reason=reason)
    note(draft, "updated", by_id=by_id)
    return draft


@transaction.atomic
def retract(*, draft_id: int, by: User | None) -> Draft:
    """Take a published draft back from its platform, piece by piece.

    The draft reads `retracted` once the platform has removed every piece.

    Raises:
        DraftNotPending: It is not published.
    """
    sent = list(
        Outbound.objects.select_for_update()
        .filter(draft_id=draft_id, action=Outbound.Action.SEND, state=Outbound.State.SENT)
        .order_by("pk")
    )
    draft = Draft.objects.select_for_update().filter(pk=draft_id).first()
    if draft is None or draft.status != Draft.Status.PUBLISHED or not sent:
        raise DraftNotPending("Only something published can be taken back.")
    Outbound.objects.bulk_create(
        [
            Outbound(
                draft=draft,
                action=Outbound.Action.RETRACT,
                agent_id=piece.agent_id,
                room_id=piece.room_id,
                account_id=piece.account_id,
                seq=1000 + piece.seq,
                dedupe_key=rules.dedupe_key(),
                not_before=GreenroomNow(),
                external_id=piece.external_id,
                message_id=piece.message_id,
            )
            for piece in sent
        ],
        ignore_conflicts=True,
    )
    outbox.wake()
    note(draft, "retracting", by_id=by.pk if by else None)
    faults.passing("retraction.written")
    return draft


def withdraw_if_stale(draft: Draft, *, by: User | None) -> bool:
    """Withdraw a locked, waiting chat reply that was overtaken; say whether it was."""
    newer = (
        Message.objects.filter(room_id=draft.room_id, pk__gt=draft.room_seen, is_known=True)
        .exclude(author__agent_id=draft.agent_id)
        .count()
    )
    if not rules.is_stale(kind=draft.kind, stale_at=draft.stale_at, newer=newer, now=clock.now()):
        return False
    draft.status = Draft.Status.WITHDRAWN
    draft.reason = "The conversation moved on."
    draft.save()
    note(draft, "withdrawn", by_id=by.pk if by else None, reason=draft.reason)
    note(draft, "updated")
    return True


def _pending(draft_id: int, *, version: int | None = None) -> Draft:
    """Lock a waiting draft by a condition the database checks."""
    draft = (
        Draft.objects.select_for_update(of=("self",))
        .select_related("room", "agent")
        .filter(Q(expires_at__gt=GreenroomNow()), pk=draft_id, status=Draft.Status.PENDING)
        .first()
    )
    if draft is None:
        raise DraftNotPending
    if version is not None and draft.version != version:
        raise DraftChanged
    return draft


def _apply_edit(draft: Draft, *, text: str | None, emoji: str | None, by: User) -> None:
    new_text = draft.text if text is None else normalised(text)
    new_emoji = draft.emoji if emoji is None else one_line(emoji, limit=64)
    if not is_visible(new_emoji if draft.kind == Draft.Kind.REACTION else new_text):
        raise Unspeakable
    if (new_text, new_emoji) == (draft.text, draft.emoji):
        return
    blocking = [
        verdict for verdict in screen(new_text, agent=draft.agent) if verdict.effect == "block"
    ]
    if blocking:
        raise Invalid(f"This would be held back: {blocking[0].detail or blocking[0].rule}.")
    draft.text, draft.emoji = new_text, new_emoji
    draft.version += 1
    draft.content_hash = fingerprint(draft)
    draft.save()
    last = draft.revisions.aggregate(last=Max("n"))["last"] or 0
    DraftRevision.objects.create(draft=draft, n=last + 1, text=new_text, emoji=new_emoji, author=by)


def _release(draft: Draft, *, by: User, via: str) -> None:
    draft.status = Draft.Status.APPROVED
    draft.reason = ""
    _decided(draft, by=by, via=via)
    decided_at = draft.decided_at
    draft.metadata = {
        **draft.metadata,
        "approvedAt": decided_at.isoformat() if decided_at else None,
    }
    draft.save()
    outbox.queue(draft, delay_seconds=undo_seconds(draft))
    note(draft, "approved", by_id=by.pk, via=via)
    note(draft, f"{draft.kind}.approved", by_id=by.pk)
    note(draft, "updated", by_id=by.pk)


def _decided(draft: Draft, *, by: User, via: str) -> None:
    draft.decided_by = by
    draft.decided_at = clock.now()
    draft.decided_via = via[:20]
    draft.snoozed_until = None


def undo_seconds(draft: Draft) -> float:
    """Return how long an approval of this draft can be undone, 0 to 60 seconds."""
    value = draft.agent.limits.get("undo_seconds", rules.UNDO_SECONDS)
    low, high = UNDO_RANGE
    return min(max(timedelta(seconds=float(value)).total_seconds(), low), high)
