"""Corrects what an agent has said already: in its room, by the gates that every act passes.

The draft stays published. Its words change once the platform shows the new ones, so that the
record never says what nobody can read.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max

from agentapp.conversation.models import Message
from agentapp.drafts import outbox, rules
from agentapp.drafts.errors import DraftNotPending, Unspeakable
from agentapp.drafts.models import Draft, DraftRevision, Outbound
from agentapp.drafts.trail import note
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, Invalid
from agentapp.foundation.text import is_visible, normalised
from agentapp.identity.models import User
from agentapp.identity.platforms import most_characters
from agentapp.notifications.services import notify
from agentapp.safety.queries import standings
from agentapp.safety.screen import screen

FIRST_SEQ = 2_000  # behind pieces and their retractions
MOST = 1_000  # corrections of one draft

State = Outbound.State
OPEN = [State.QUEUED, State.PUBLISHING, State.UNKNOWN]


class StillCorrecting(Conflict):
    """An earlier correction is on its way. Try again in a moment."""

    code = "still_correcting"


@transaction.atomic
def correct(*, message_id: int, text: str, by: User) -> Draft:
    """Give a published message of an agent new words, as soon as its platform takes them.

    Writes: Outbound, DraftRevision, Event `agent.draft.correcting`. The caller has checked that
    `by` decides for the agent.

    Raises:
        DraftNotPending: It is not a published message of a draft, or was taken back.
        StillCorrecting: One is on its way.
        Unspeakable, Invalid: Nothing would be left to say, it is too long, or the screen would
            hold the new words back.
    """
    sent = (
        Outbound.objects.select_for_update(of=("self",))
        .filter(message=message_id, action=Outbound.Action.SEND, state=State.SENT, file=None)
        .order_by("pk")
        .first()
    )
    draft = (
        Draft.objects.select_for_update(of=("self",))
        .select_related("agent", "room")
        .filter(pk=sent.draft_id if sent else 0)
        .first()
    )
    if sent is None or draft is None or draft.status != Draft.Status.PUBLISHED:
        raise DraftNotPending("Only something published can be corrected.")
    clean = _speakable(draft, text)
    shown = Message.objects.filter(pk=message_id, deleted_at__isnull=True).first()
    if shown is None:
        raise DraftNotPending("This message is gone.")
    if clean == shown.text:
        return draft
    _queue(draft, sent, clean)
    _revise(draft, sent, clean, by)
    note(draft, "correcting", by_id=by.pk, message=message_id)
    return draft


def note_corrected(corrected: Sequence[tuple[Draft, Outbound]]) -> None:
    """Note that platforms show new words; inside the transaction that settles the pieces.

    Writes: Draft, Event `agent.draft.corrected`.
    """
    for draft, piece in corrected:
        text = _whole(draft, piece.message_id, piece.text)
        Draft.objects.filter(pk=draft.pk).update(text=text, version=draft.version + 1)
        draft.text, draft.version = text, draft.version + 1
        note(draft, "corrected", message=piece.message_id)
        note(draft, "updated")


def hold_correction(piece: Outbound, reason: str) -> None:
    """Hold back a correction that a gate stopped; what was said stays as it was."""
    Outbound.objects.filter(pk=piece.pk).update(state=State.WITHHELD, error=reason)
    note(piece.draft, "correction.blocked", reason=reason)
    tell_not_corrected(piece.draft, reason)


def tell_not_corrected(draft: Draft, reason: str) -> None:
    """Leave the agent's owner a note that the old words stand."""
    notify(
        user_id=draft.agent.owner_id,
        workspace_id=draft.workspace_id,
        kind="draft.not_corrected",
        subject_kind="draft",
        subject_id=draft.pk,
        text=f"What {draft.agent.name} said could not be corrected: {reason}",
    )


def _speakable(draft: Draft, text: str) -> str:
    clean = normalised(text)
    if not is_visible(clean):
        raise Unspeakable
    longest = most_characters(draft.room.platform)
    if len(clean) > longest:
        raise Invalid(f"A correction has at most {longest:,} characters there.")
    blocking = [each for each in screen(clean, agent=draft.agent) if each.effect == "block"]
    if blocking:
        raise Invalid(f"This would be held back: {blocking[0].detail or blocking[0].rule}.")
    return clean


def _queue(draft: Draft, sent: Outbound, text: str) -> None:
    earlier = Outbound.objects.filter(draft=draft, action=Outbound.Action.EDIT)
    if earlier.filter(state__in=OPEN).exists():
        raise StillCorrecting
    seq = max((earlier.aggregate(last=Max("seq"))["last"] or 0) + 1, FIRST_SEQ)
    if seq >= FIRST_SEQ + MOST:
        raise Invalid("This was corrected often enough. Take it back instead.")
    own = standings({(draft.agent_id, draft.workspace_id)})[draft.agent_id]
    Outbound.objects.create(
        draft=draft,
        action=Outbound.Action.EDIT,
        agent_id=sent.agent_id,
        room_id=sent.room_id,
        account_id=sent.account_id,
        seq=seq,
        text=text,
        dedupe_key=rules.dedupe_key(),
        not_before=GreenroomNow(),
        epoch=own.epoch,
        external_id=sent.external_id,
        message_id=sent.message_id,
    )
    outbox.wake()


def _revise(draft: Draft, sent: Outbound, text: str, by: User) -> None:
    last = draft.revisions.aggregate(last=Max("n"))["last"] or 0
    whole = _whole(draft, sent.message_id, text)
    DraftRevision.objects.create(draft=draft, n=last + 1, text=whole, author=by)


def _whole(draft: Draft, message_id: int | None, text: str) -> str:
    """Return all words of a draft as its room would show them with one piece changed."""
    pieces = (
        draft.pieces.filter(action=Outbound.Action.SEND, file=None)
        .select_related("message")
        .order_by("seq")
    )
    return "\n".join(
        text
        if piece.message_id == message_id
        else (piece.message.text if piece.message else piece.text)
        for piece in pieces
    )
