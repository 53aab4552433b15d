"""Writes of thoughts. Every step after the start names the fence under which it works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F, QuerySet
from psycopg.types.json import Jsonb

from agentapp.events import services as events
from agentapp.events.models import Event
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict
from agentapp.foundation.prepared import Change, insert_many, prepared_update
from agentapp.foundation.text import one_line
from agentapp.turns import queries, rules
from agentapp.turns.models import Turn
from agentapp.turns.rules import Reason

MAX_ERROR = 400  # characters
MAX_OUTCOME = 40  # characters
MAX_LATENCY_MS = 2**31 - 1


class TurnTaken(Conflict):
    """Another worker goes on with this thought, or it has ended."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision on a message, as it is stored. `outcome` names what became of a silent one."""

    workspace_id: int
    agent_id: int
    room_id: int
    trigger_id: int
    decision: str
    reasons: tuple[Reason, ...]
    addressed: bool = False
    person_id: int | None = None
    outcome: str = ""
    context: dict[str, object] = field(default_factory=dict)
    fence: int = 0
    epoch: int = 0


def record_silent(*, decided: Sequence[Decided]) -> None:
    """Write decisions that end at once, such as *ignore*; one statement, repeating it is harmless.

    They are no state changes of anything a person sees, so they write no events.
    """
    Turn.objects.bulk_create(
        [
            Turn(
                agent_id=each.agent_id,
                trigger_kind=Turn.Trigger.MESSAGE,
                trigger_id=each.trigger_id,
                status=Turn.Status.DONE,
                finished_at=GreenroomNow(),
                **_columns(each),
            )
            for each in decided
        ],
        ignore_conflicts=True,
    )


def start(decided: Sequence[Decided]) -> list[Turn]:
    """Begin thoughts, or return those that were begun on the same messages.

    Writes: Turn, Event `turn.started`; inside the caller's transaction, which holds the rooms'
    locks: nobody else can begin a thought there meanwhile. Three statements at most.
    """
    begun = queries.on_message.first_of_each(
        [{"agent_id": each.agent_id, "message_id": each.trigger_id} for each in decided]
    )
    new = insert_many(
        [
            Turn(
                agent_id=each.agent_id,
                trigger_kind=Turn.Trigger.MESSAGE,
                trigger_id=each.trigger_id,
                status=Turn.Status.RUNNING,
                **_columns(each),
            )
            for each, known in zip(decided, begun, strict=True)
            if known is None
        ]
    )
    events.record_many(_event("turn.started", turn) for turn in new)
    fresh = iter(new)
    return [known or next(fresh) for known in begun]


def resume(*, turn: Turn, fence: int) -> Turn:
    """Take up a thought whose worker died or failed."""
    Turn.objects.filter(pk=turn.pk).update(
        fence=fence, retries=F("retries") + 1, status=Turn.Status.RUNNING
    )
    turn.refresh_from_db()
    return turn


@dataclass(frozen=True, slots=True)
class Context:
    """What was read for a thought (ids), and whose untrusted words were among it."""

    turn: Turn
    context: dict[str, object]
    taint: Sequence[str]


def note_contexts(noted: Sequence[Context]) -> None:
    """Write down what was read before models are asked; one statement.

    Raises:
        TurnTaken: One is no longer this worker's; nothing is written.
    """
    for each in noted:
        each.turn.context = {**each.turn.context, **each.context}
        each.turn.taint = list(each.taint)
    calls = [
        {
            "turn_id": each.turn.pk,
            "fence": each.turn.fence,
            "context": Jsonb(each.turn.context),
            "taint": Jsonb(each.turn.taint),
        }
        for each in noted
    ]
    with transaction.atomic():
        if not all(_read.many(calls)):
            raise TurnTaken


@dataclass(frozen=True, slots=True)
class Finished:
    """What a thought came to."""

    turn: Turn
    outcome: str
    answer: str = ""
    cost_micros: int = 0
    latency_ms: int = 0
    steps: int = 1


def finish(finished: Sequence[Finished]) -> None:
    """End thoughts that came to something; inside the caller's transaction, in two statements.

    Writes: Turn (done), Event `turn.finished`.

    Raises:
        TurnTaken: One is no longer this worker's; let the transaction fail with it.
    """
    calls = [
        {
            "turn_id": each.turn.pk,
            "fence": each.turn.fence,
            "outcome": each.outcome[:MAX_OUTCOME],
            "answer": each.answer,
            "cost_micros": each.cost_micros,
            "latency_ms": min(each.latency_ms, MAX_LATENCY_MS),
            "steps": each.steps,
        }
        for each in finished
    ]
    if not all(_finished.many(calls)):
        raise TurnTaken
    events.record_many(
        _event("turn.finished", each.turn, outcome=each.outcome) for each in finished
    )


def fail(*, turn: Turn, outcome: str, error: str, latency_ms: int = 0) -> None:
    """End a thought that came to nothing; inside the caller's transaction.

    Writes: Turn (failed), Event `turn.failed`.

    Raises:
        TurnTaken: It is no longer this worker's; let the transaction fail with it.
    """
    failed = _running(turn.pk, turn.fence).update(
        status=Turn.Status.FAILED,
        outcome=outcome[:MAX_OUTCOME],
        error=one_line(error, limit=MAX_ERROR),
        latency_ms=min(latency_ms, MAX_LATENCY_MS),
        finished_at=GreenroomNow(),
    )
    if not failed:
        raise TurnTaken
    _record("turn.failed", turn, outcome=outcome)


def bury(*, turn: Turn, error: str) -> None:
    """End a thought that killed or broke its worker too often, whoever holds it.

    Writes: Turn (dead), Event `turn.failed`; inside the caller's transaction.
    """
    Turn.objects.filter(pk=turn.pk).update(
        status=Turn.Status.DEAD,
        outcome="gave_up",
        error=one_line(error, limit=MAX_ERROR),
        finished_at=GreenroomNow(),
    )
    _record("turn.failed", turn, outcome="gave_up")


def _columns(decided: Decided) -> dict[str, object]:
    return {
        "workspace_id": decided.workspace_id,
        "room_id": decided.room_id,
        "person_id": decided.person_id,
        "decision": decided.decision,
        "reasons": rules.stored(decided.reasons),
        "addressed": decided.addressed,
        "outcome": decided.outcome[:MAX_OUTCOME],
        "context": decided.context,
        "fence": decided.fence,
        "epoch": decided.epoch,
    }


def _running(turn_id: int, fence: int) -> QuerySet[Turn]:
    return Turn.objects.filter(pk=turn_id, fence=fence, status=Turn.Status.RUNNING)


@prepared_update
def _read(turn_id: int, fence: int, context: Jsonb, taint: Jsonb) -> Change:
    return _running(turn_id, fence), {"context": context, "taint": taint}


@prepared_update
def _finished(
    turn_id: int,
    fence: int,
    outcome: str,
    answer: str,
    cost_micros: int,
    latency_ms: int,
    steps: int,
) -> Change:
    return _running(turn_id, fence), {
        "status": Turn.Status.DONE,
        "outcome": outcome,
        "answer": answer,
        "steps": steps,
        "cost_micros": cost_micros,
        "latency_ms": latency_ms,
        "finished_at": GreenroomNow(),
    }


def _record(kind: str, turn: Turn, **payload: object) -> None:
    events.record_many([_event(kind, turn, **payload)])


def _event(kind: str, turn: Turn, **payload: object) -> Event:
    return events.made(
        type=kind,
        subject_kind="turn",
        subject_id=turn.pk,
        workspace_id=turn.workspace_id,
        agent_id=turn.agent_id,
        room_id=turn.room_id,
        payload=payload,
    )
