"""Which cards are to be shown, changed or tidied up, and what became of that.

The row is written before anything is shown, with the key under which the platform shows it once.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from agentapp.cards import rules
from agentapp.cards.models import Card, CardLink
from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.drafts.rules import dedupe_key
from agentapp.foundation import clock
from agentapp.foundation.clock import GreenroomNow
from agentapp.identity.models import Room

MOST = 20  # cards of one look
LEASE_SECONDS = 20.0
MAX_ATTEMPTS = 5
BACK_OFF_SECONDS = (5, 30, 120, 600)
QUOTED = 300  # characters of the answered message

State = Card.State


@dataclass(frozen=True, slots=True)
class CardFace:
    """What a card shows now.

    Attributes:
        place, message: Where it stands; "" for not yet.
        is_private: The words are of a direct chat and appear after a tap.
        outcome: What became of it; "" while it waits, and then it has buttons.
    """

    card_id: int
    account_id: uuid.UUID
    external_id: str
    key: str
    place: str
    message: str
    is_silent: bool
    draft_id: int
    version: int
    agent: str
    room: str
    kind: str
    text: str
    emoji: str
    files: int
    answered_by: str
    answered: str
    why: str
    is_tainted: bool
    is_private: bool
    outcome: str


@transaction.atomic
def due(*, accounts: Collection[uuid.UUID]) -> list[CardFace]:
    """Make cards for new drafts of linked owners, and take what these logins have to show.

    Writes: Card.
    """
    links = list(CardLink.objects.filter(account__in=list(accounts)))
    for link in links:
        _make(link)
    cards = list(_open(accounts))
    Card.objects.filter(pk__in=[card.pk for card in cards]).update(
        due_at=GreenroomNow() + timedelta(seconds=LEASE_SECONDS), attempts=F("attempts") + 1
    )
    answered = Message.objects.select_related("author").in_bulk(
        [card.draft.target_id for card in cards if card.draft.target_id]
    )
    return [_face(card, answered.get(card.draft.target_id or 0)) for card in cards]


def _make(link: CardLink) -> None:
    waiting = (
        Draft.objects.filter(
            agent__owner=link.user_id,
            status=Draft.Status.PENDING,
            card__isnull=True,
            room__is_tryout=False,
            workspace__is_demo=False,
        )
        .order_by("pk")
        .values_list("pk", flat=True)[:MOST]
    )
    now = clock.now()
    rung = list(
        Card.objects.filter(
            account=link.account_id,
            external_id=link.external_id,
            is_silent=False,
            created_at__gt=now - timedelta(days=1),
        ).values_list("created_at", flat=True)
    )
    for draft_id in waiting:
        is_silent = rules.is_silent(rung, now=now)
        Card.objects.bulk_create(
            [
                Card(
                    draft_id=draft_id,
                    account_id=link.account_id,
                    external_id=link.external_id,
                    key=dedupe_key(),
                    is_silent=is_silent,
                )
            ],
            ignore_conflicts=True,
        )
        rung += [] if is_silent else [now]


def _open(accounts: Collection[uuid.UUID]) -> QuerySet[Card]:
    is_over = ~Q(draft__status=Draft.Status.PENDING) | ~Q(draft__version=F("version"))
    return (
        Card.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("draft__agent", "draft__room", "draft__decided_by")
        .filter(
            Q(state=State.WAITING) | Q(is_over, state=State.SHOWN),
            account__in=list(accounts),
            due_at__lte=GreenroomNow(),
        )
        .order_by("pk")[:MOST]
    )


def _face(card: Card, answered: Message | None) -> CardFace:
    draft = card.draft
    by = str(draft.decided_by) if draft.decided_by else ""
    author = answered.author if answered is not None else None
    return CardFace(
        card_id=card.pk,
        account_id=card.account_id,
        external_id=card.external_id,
        key=card.key,
        place=card.place,
        message=card.message,
        is_silent=card.is_silent,
        draft_id=draft.pk,
        version=draft.version,
        agent=draft.agent.name,
        room=str(draft.room),
        kind=draft.kind,
        text=draft.text,
        emoji=draft.emoji,
        files=draft.file_count,
        answered_by=author.name if author is not None else "",
        answered=answered.text[:QUOTED] if answered is not None else "",
        why=draft.why,
        is_tainted=draft.tainted,
        is_private=draft.room.kind == Room.Kind.DIRECT,
        outcome=rules.outcome(status=draft.status, by=by, reason=draft.reason),
    )


@transaction.atomic
def shown(face: CardFace, *, place: str, message: str) -> None:
    """Note that a card stands as `face` says. A decision meanwhile makes it due again."""
    draft = Draft.objects.get(pk=face.draft_id)
    is_same = draft.version == face.version
    Card.objects.filter(pk=face.card_id).update(
        state=State.CLOSED if face.outcome else State.SHOWN,
        place=place,
        message=message,
        version=face.version,
        content_hash=draft.content_hash if is_same else "",
        attempts=0,
        due_at=GreenroomNow(),
        error="",
    )
    CardLink.objects.filter(account=face.account_id, external_id=face.external_id).update(error="")


@transaction.atomic
def not_shown(face: CardFace, *, error: str, is_final: bool) -> None:
    """Note that a card could not be shown; the owner reads why on the page of logins."""
    card = Card.objects.select_for_update().get(pk=face.card_id)
    wait = BACK_OFF_SECONDS[min(card.attempts, len(BACK_OFF_SECONDS)) - 1]
    card.error = error[:400]
    if is_final or card.attempts >= MAX_ATTEMPTS:
        card.state = State.FAILED
        CardLink.objects.filter(account=face.account_id, external_id=face.external_id).update(
            error=card.error
        )
    card.due_at = clock.now() + timedelta(seconds=wait)
    card.save(update_fields=["state", "error", "due_at"])
