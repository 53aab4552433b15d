"""The approval card: an agent's words, where they would go, why, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.queries import CardContext, card_context, inbox
from agentapp.identity.models import Room, User
from agentapp.identity.policy import visible
from agentapp.turns.models import Turn
from dashboard.presenters.faces import Face, agent_face, identity_face
from dashboard.presenters.files import FileShown, files_of_drafts, words_of
from dashboard.presenters.messages import shortened
from dashboard.presenters.rooms import LineShown, RoomShown, presence_in, show_room
from dashboard.presenters.stamps import stamp

MAX_CARDS = 50  # cards on one page
STAYS_AFTER_DECISION = timedelta(seconds=60)
LATE_AFTER = timedelta(hours=24)  # reactions and comments sink, marked late
MAX_WRITING = 5

_WANTS = {
    Draft.Kind.MESSAGE: "wants to reply",
    Draft.Kind.POST: "wants to post",
    Draft.Kind.COMMENT: "wants to comment",
    Draft.Kind.REACTION: "wants to react",
}
_NOUNS = {
    Draft.Kind.MESSAGE: "Reply",
    Draft.Kind.POST: "Post",
    Draft.Kind.COMMENT: "Comment",
    Draft.Kind.REACTION: "Reaction",
}
_STATES = {
    Draft.Status.PROPOSED: "waits",
    Draft.Status.PENDING: "waits",
    Draft.Status.PUBLISHING: "sending",
    Draft.Status.PUBLISHED: "sent",
    Draft.Status.UNKNOWN: "checking",
    Draft.Status.BLOCKED: "held",
    Draft.Status.FAILED: "failed",
}
_OUTCOMES = {
    Draft.Status.REJECTED: "Skipped",
    Draft.Status.EXPIRED: "Expired",
    Draft.Status.WITHDRAWN: "Withdrawn",
    Draft.Status.RETRACTED: "Taken back",
    Draft.Status.PENDING: "Snoozed",
}


@dataclass(frozen=True, slots=True)
class CardShown:
    """Everything one card says. `state` decides which half of the template draws it."""

    id: int
    version: int
    content_hash: str
    state: str
    outcome: str
    title: str
    agent: Face
    room: RoomShown
    before: list[LineShown]
    kind: str
    wants: str
    text: str
    emoji: str
    preview: str
    files: list[FileShown]
    why: str
    reason: str
    turn_id: int | None
    cost_micros: int | None
    tainted: bool
    is_direct: bool
    is_edited: bool
    is_late: bool
    can_bulk: bool
    can_free: bool
    created_at: datetime
    stale_at: datetime | None
    expires_at: datetime
    snoozed_until: datetime | None
    published_at: datetime | None
    remaining_ms: int
    stamp: str


@dataclass(frozen=True, slots=True)
class WritingShown:
    """A thought that is being written down and will wait here."""

    id: int
    agent: Face
    room: RoomShown


def show_inbox(user: User, *, now: datetime) -> tuple[list[CardShown], int]:
    """Return the cards of the Approvals page and how many more wait behind them.

    What this user decided within the last minute stays in its place. Nine queries for any number.
    """
    inboxed = inbox(user).select_related("room__workspace")
    waiting = list(inboxed[: MAX_CARDS + 1])
    more = inboxed.count() - MAX_CARDS if len(waiting) > MAX_CARDS else 0
    decided = list(
        visible(Draft, user)
        .filter(decided_by=user, decided_at__gte=now - STAYS_AFTER_DECISION)
        .select_related("agent", "room__workspace", "target__author", "turn")
        .order_by("-decided_at")[:MAX_CARDS]
    )
    by_id = {draft.pk: draft for draft in [*waiting[:MAX_CARDS], *decided]}
    drafts = sorted(by_id.values(), key=lambda draft: (is_late(draft, now=now), draft.pk))
    return show_cards(drafts, now=now), more


def show_cards(drafts: Sequence[Draft], *, now: datetime) -> list[CardShown]:
    """Show drafts with what stands around them; six queries for any number, eight with files."""
    rooms = {draft.room_id: draft.room for draft in drafts}
    here = presence_in(rooms.values())
    shown = {pk: show_room(room, here[pk]) for pk, room in rooms.items()}
    around = card_context(drafts)
    files = files_of_drafts(drafts)
    leaving = dict(
        Outbound.objects.filter(
            draft__in=[d.pk for d in drafts if d.status == Draft.Status.APPROVED],
            action=Outbound.Action.SEND,
            state=Outbound.State.QUEUED,
        ).values_list("draft_id", "not_before")
    )
    return [
        _show(
            draft,
            room=shown[draft.room_id],
            around=around[draft.pk],
            leaves_at=leaving.get(draft.pk),
            files=files.get(draft.pk, []),
            now=now,
        )
        for draft in drafts
    ]


def show_writing(user: User) -> list[WritingShown]:
    """Return thoughts under way whose outcome will wait for this user; three queries."""
    turns = list(
        visible(Turn, user)
        .filter(
            Q(room__reply_mode=Room.ReplyMode.APPROVE) | Q(agent__approval_rules__message="owner"),
            agent__owner=user,
            room__is_tryout=False,
            status=Turn.Status.RUNNING,
            decision=Turn.Decision.RESPOND,
        )
        .select_related("agent", "room__workspace")
        .order_by("pk")[:MAX_WRITING]
    )
    rooms = {turn.room.pk: turn.room for turn in turns if turn.room is not None}
    if not rooms:
        return []
    here = presence_in(rooms.values())
    return [
        WritingShown(turn.pk, agent_face(turn.agent), show_room(turn.room, here[turn.room.pk]))
        for turn in turns
        if turn.room is not None
    ]


def is_late(draft: Draft, *, now: datetime) -> bool:
    """Say whether a reaction or comment has waited so long that it sinks below the rest."""
    kinds = {Draft.Kind.REACTION, Draft.Kind.COMMENT}
    return draft.kind in kinds and now - draft.created_at > LATE_AFTER


def _show(
    draft: Draft,
    *,
    room: RoomShown,
    around: CardContext,
    leaves_at: datetime | None,
    files: list[FileShown],
    now: datetime,
) -> CardShown:
    agent = agent_face(draft.agent)
    state = _state(draft, leaves_at=leaves_at, now=now)
    remaining = max(0, int((leaves_at - now).total_seconds() * 1000)) if leaves_at else 0
    return CardShown(
        id=draft.pk,
        version=draft.version,
        content_hash=draft.content_hash,
        state=state,
        outcome=_OUTCOMES.get(Draft.Status(draft.status), ""),
        title=f"{_NOUNS[Draft.Kind(draft.kind)]} of {agent.name} in {room.name}",
        agent=agent,
        room=room,
        before=_before(draft, around),
        kind=draft.kind,
        wants=_wants(draft),
        text=draft.text,
        emoji=draft.emoji,
        preview=shortened(draft.text or draft.emoji, 160),
        files=files,
        why=draft.why,
        reason=draft.reason,
        turn_id=draft.turn_id,
        cost_micros=draft.turn.cost_micros if draft.turn else None,
        tainted=draft.tainted,
        is_direct=room.is_direct,
        is_edited=draft.version > 1,
        is_late=is_late(draft, now=now),
        can_bulk=not room.is_direct,
        can_free=_can_free(draft),
        created_at=draft.created_at,
        stale_at=draft.stale_at if draft.kind == Draft.Kind.MESSAGE else None,
        expires_at=draft.expires_at,
        snoozed_until=draft.snoozed_until,
        published_at=draft.published_at,
        remaining_ms=remaining,
        stamp=stamp(
            draft.version, state, draft.reason, room.name, room.readers, draft.snoozed_until
        ),
    )


def _can_free(draft: Draft) -> bool:
    """Say whether one press would let replies like this one go out unasked."""
    return (
        draft.kind == Draft.Kind.MESSAGE
        and draft.room.reply_mode == Room.ReplyMode.APPROVE
        and draft.agent.approval_rules.get("message") != "owner"
    )


def _wants(draft: Draft) -> str:
    if draft.kind == Draft.Kind.MESSAGE and draft.turn_id is None:
        return "wants to write"
    return _WANTS[Draft.Kind(draft.kind)]


def _before(draft: Draft, around: CardContext) -> list[LineShown]:
    """Return what a card shows above the words: the target, else the two messages before."""
    messages = around.before
    if draft.target is not None and draft.kind in {Draft.Kind.REACTION, Draft.Kind.COMMENT}:
        messages = [draft.target]
    return [
        LineShown(
            identity_face(message.author),
            shortened(words_of(message.text, message.file_count), 240),
            message.sent_at,
        )
        for message in messages
    ]


def _state(draft: Draft, *, leaves_at: datetime | None, now: datetime) -> str:
    if draft.status == Draft.Status.APPROVED:
        return "leaving" if leaves_at is not None and leaves_at > now else "sending"
    if draft.status == Draft.Status.PENDING and draft.snoozed_until and draft.snoozed_until > now:
        return "ended"
    return _STATES.get(Draft.Status(draft.status), "ended")
