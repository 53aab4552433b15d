"""Why?: one thought, told from its record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.identity.models import User
from agentapp.identity.policy import visible
from agentapp.turns.models import Turn
from dashboard.presenters.agents import decision_words
from dashboard.presenters.deeds import CallShown, DeedShown, show_deeds
from dashboard.presenters.faces import Face, agent_face, identity_face
from dashboard.presenters.files import words_of
from dashboard.presenters.messages import shortened
from dashboard.presenters.rooms import (
    LineShown,
    RoomShown,
    joined,
    presence_in,
    show_room,
)
from dashboard.presenters.sources import SourceShown, show_sources

MAX_TURNS = 12
BURST_REACH = 1_000  # message ids between the first and the last of one burst

_DRAFT_WORDS = {
    Draft.Status.PROPOSED: "waits for you",
    Draft.Status.PENDING: "waits for you",
    Draft.Status.APPROVED: "on its way",
    Draft.Status.PUBLISHING: "on its way",
    Draft.Status.PUBLISHED: "sent",
    Draft.Status.REJECTED: "skipped",
    Draft.Status.EXPIRED: "expired",
    Draft.Status.BLOCKED: "held back",
    Draft.Status.WITHDRAWN: "withdrawn",
    Draft.Status.FAILED: "not sent",
    Draft.Status.UNKNOWN: "checking whether it arrived",
    Draft.Status.RETRACTED: "taken back",
}
_ORIGINS = {
    "strangers": "people it hardly knows",
    "members": "people it knows",
    "bots": "bots",
}
_OPEN = {"waits for you"}


@dataclass(frozen=True, slots=True)
class ReasonShown:
    """One sentence for or against. `kind` is yes, no or note."""

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class OutcomeShown:
    """One draft that came of a thought."""

    text: str
    words: str
    waits: bool
    is_held: bool


@dataclass(frozen=True, slots=True)
class WhyShown:
    """Everything the panel says about one thought."""

    turn_id: int
    agent: Face
    verdict: str
    at: datetime
    is_running: bool
    answer: str
    error: str
    reasons: list[ReasonShown]
    trigger: LineShown | None
    room: RoomShown | None
    sources: list[SourceShown]
    taint: str
    drafts: list[OutcomeShown]
    deeds: list[DeedShown]

    @property
    def calls(self) -> list[CallShown]:
        """Return the requests to models among what it did."""
        return [deed.call for deed in self.deeds if deed.call is not None]

    @property
    def used_tools(self) -> bool:
        """Return whether any tool was asked."""
        return any(deed.tool is not None for deed in self.deeds)


def turns_about(user: User, message: Message) -> QuerySet[Turn]:
    """Return this user's agents' thoughts that a message set off, or that wrote it."""
    turns = visible(Turn, user)
    # One decision may answer several messages at once; it is kept with the newest of them.
    near = turns.filter(
        trigger_kind=Turn.Trigger.MESSAGE,
        trigger_id__range=(message.pk, message.pk + BURST_REACH),
    )
    set_off = near.filter(Q(trigger_id=message.pk) | Q(context__burst__contains=[message.pk]))
    wrote = turns.filter(drafts__pieces__message=message)
    ids = [*set_off.values_list("pk", flat=True), *wrote.values_list("pk", flat=True)]
    return turns.filter(pk__in=ids)


def show_whys(user: User, turns: QuerySet[Turn]) -> list[WhyShown]:
    """Tell thoughts, those that spoke first; a constant number of queries per panel."""
    rows = list(
        turns.select_related("agent", "room__workspace")
        .prefetch_related("drafts")
        .order_by("pk")[:MAX_TURNS]
    )
    rows.sort(key=lambda turn: turn.decision in {Turn.Decision.IGNORE, Turn.Decision.NOTICE})
    rooms = {turn.room.pk: turn.room for turn in rows if turn.room is not None}
    here = presence_in(rooms.values())
    shown = {pk: show_room(room, here[pk]) for pk, room in rooms.items()}
    triggers = (
        visible(Message, user)
        .select_related("author")
        .in_bulk([turn.trigger_id for turn in rows if turn.trigger_id is not None])
    )
    sources = show_sources(user, rows)
    deeds = show_deeds(user, rows)
    return [
        _show(
            turn,
            room=shown.get(turn.room_id or 0),
            trigger=triggers.get(turn.trigger_id or 0),
            sources=sources[turn.pk],
            deeds=deeds[turn.pk],
        )
        for turn in rows
    ]


def _show(
    turn: Turn,
    *,
    room: RoomShown | None,
    trigger: Message | None,
    sources: list[SourceShown],
    deeds: list[DeedShown],
) -> WhyShown:
    drafts = list(turn.drafts.all())
    line = None
    if trigger is not None and trigger.deleted_at is None:
        line = LineShown(
            identity_face(trigger.author),
            shortened(words_of(trigger.text, trigger.file_count), 400),
            trigger.sent_at,
        )
    return WhyShown(
        turn_id=turn.pk,
        agent=agent_face(turn.agent),
        verdict=_verdict(turn, drafts),
        at=turn.created_at,
        is_running=turn.status == Turn.Status.RUNNING,
        answer=turn.answer,
        error=turn.error,
        reasons=_reasons(turn.reasons),
        trigger=line,
        room=room,
        sources=sources,
        taint=joined([_ORIGINS.get(str(origin), str(origin)) for origin in turn.taint]),
        drafts=[_outcome(draft) for draft in drafts],
        deeds=deeds,
    )


def _verdict(turn: Turn, drafts: list[Draft]) -> str:
    """Say what came of a thought, as far as it has come."""
    if turn.status != Turn.Status.DONE or not drafts:
        return f"{decision_words(turn)}."
    act = "react" if drafts[0].kind == Draft.Kind.REACTION else "answer"
    words = _DRAFT_WORDS[Draft.Status(drafts[0].status)]
    if words == "sent":
        return f"{decision_words(turn)}."
    return f"wants to {act}; it {words}." if words in _OPEN else f"wanted to {act}; {words}."


def _reasons(stored: Iterable[dict[str, str]]) -> list[ReasonShown]:
    return [ReasonShown(kind=each["kind"], words=each["words"]) for each in stored]


def _outcome(draft: Draft) -> OutcomeShown:
    status = Draft.Status(draft.status)
    return OutcomeShown(
        text=shortened(draft.text or draft.emoji, 200),
        words=_DRAFT_WORDS[status],
        waits=status in {Draft.Status.PENDING, Draft.Status.PROPOSED},
        is_held=status in {Draft.Status.BLOCKED, Draft.Status.FAILED},
    )
