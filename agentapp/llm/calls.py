"""The record of every request to a model: opened before it leaves, closed when it is known."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from psycopg.errors import UniqueViolation

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import Change, insert, prepared, prepared_update
from agentapp.foundation.secrets import digest
from agentapp.llm import budget
from agentapp.llm.adapters.protocol import ChatMessage
from agentapp.llm.budget import Purse
from agentapp.llm.errors import Overtaken, StillRunning
from agentapp.llm.models import LLMCall, Reservation
from agentapp.llm.routes import Route

LEASE_GRACE_SECONDS = 30  # past a call's own deadline, to write down how it ended
MAX_KEY = 64
MAX_ERROR = 400


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by whom, and how long and dear the answer may be."""

    workspace_id: int
    purpose: str
    messages: tuple[ChatMessage, ...]
    key: str
    agent_id: int | None
    turn_id: int | None
    max_tokens: int
    temperature: float
    deadline_seconds: float
    is_background: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said and what it cost, in micro-dollars."""

    text: str
    call_id: int
    model: str
    tokens_in: int
    tokens_out: int
    cost_micros: int
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to make one request: its row exists and its money is set aside."""

    call_id: int
    question: Question
    route: Route
    max_tokens: int
    held_micros: int
    purses: list[Purse]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. `was_billed` False gives the money back."""

    status: LLMCall.Status
    was_billed: bool
    cost_micros: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    is_estimated: bool = False
    attempts: int = 0
    latency_ms: int = 0
    first_token_ms: int | None = None
    served_model: str = ""
    rate_id: int | None = None
    finish_reason: str = ""
    answer: str = ""
    error: str = ""


def key_of(text: str) -> str:
    """Return a key that fits its column; a longer one is hashed."""
    return text if len(text) <= MAX_KEY else digest(text)


def saved_answer(key: str, *, takes_over: bool = False) -> tuple[Answer | None, str]:
    """Return what was answered to this key before, or the key of the next attempt.

    Args:
        key: The caller's.
        takes_over: Whoever asked before may not use an answer any more; what they have open is
            written off at once instead of waiting for it.

    Raises:
        StillRunning: Somebody is answering it right now.
    """
    if not _with_key(key=key):
        return None, key
    attempts = LLMCall.objects.filter(Q(key=key) | Q(key__startswith=f"{key}#")).order_by("pk")
    known = list(attempts)
    last = known[-1]
    if last.status == LLMCall.Status.DONE:
        return answer_of(last), last.key
    if last.status == LLMCall.Status.RUNNING and not lose(last.pk, is_dead=takes_over):
        raise StillRunning
    if last.status == LLMCall.Status.REFUSED:
        return None, last.key
    return None, f"{key}#{len(known) + 1}"


@prepared
def _with_key(key: str) -> QuerySet[LLMCall, str]:
    return LLMCall.objects.filter(key=key).values_list("status", flat=True)


@prepared
def _call(call_id: int) -> QuerySet[LLMCall]:
    return LLMCall.objects.filter(pk=call_id)


def answer_of(call: LLMCall) -> Answer:
    """Return the answer that a finished call saved."""
    return Answer(
        text=call.answer,
        call_id=call.pk,
        model=call.served_model or call.model,
        tokens_in=call.tokens_in,
        tokens_out=call.tokens_out,
        cost_micros=call.cost_micros,
        finish_reason=call.finish_reason,
    )


def open_call(
    question: Question,
    *,
    key: str,
    route: Route,
    purses: list[Purse],
    max_tokens: int,
    held_micros: int,
) -> Ticket:
    """Write the call and set its money aside, both or neither.

    Raises:
        StillRunning: Another worker opened the same key first.
        NotEnough: The money does not fit. Nothing is written.
    """
    try:
        with transaction.atomic():
            call = _claimed_row(question, key=key, route=route)
            budget.reserve(
                call,
                purses,
                micros=held_micros,
                lease_seconds=question.deadline_seconds + LEASE_GRACE_SECONDS,
            )
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            raise StillRunning from error
        raise
    return Ticket(call.pk, question, route, max_tokens, held_micros, purses)


def _claimed_row(question: Question, *, key: str, route: Route) -> LLMCall:
    """Insert the call, or take over a row that was refused for want of money."""
    fields = _fields(question, route)
    if LLMCall.Status.REFUSED in _with_key(key=key):
        refused = LLMCall.objects.filter(key=key, status=LLMCall.Status.REFUSED)
        if refused.update(**fields, status=LLMCall.Status.RUNNING, error="", finished_at=None):
            return LLMCall.objects.get(key=key)
    return insert(LLMCall(**fields, key=key))


def _fields(question: Question, route: Route) -> dict[str, object]:
    return {
        "workspace_id": question.workspace_id,
        "agent_id": question.agent_id,
        "turn_id": question.turn_id,
        "provider_id": route.provider_pk,
        "model": route.model,
        "purpose": question.purpose,
        "is_background": question.is_background,
        "is_demo": route.is_demo,
        "rate_id": route.price.rate_id,
    }


def refuse(question: Question, *, key: str, route: Route, why: str) -> None:
    """Keep a row of a call that was never made because there was no money for it."""
    row = LLMCall(
        **_fields(question, route),
        key=key,
        status=LLMCall.Status.REFUSED,
        error=why[:MAX_ERROR],
        finished_at=GreenroomNow(),
    )
    LLMCall.objects.bulk_create([row], ignore_conflicts=True)


def close_call(ticket: Ticket, ending: Ending) -> LLMCall:
    """Write down how a call ended and settle its money, once.

    Announces: `llm.call.finished`.

    Raises:
        Overtaken: The watchdog wrote the call off before; nothing changes.
    """
    state = Reservation.State.SETTLED if ending.was_billed else Reservation.State.RELEASED
    with transaction.atomic():
        changed = _end(
            call_id=ticket.call_id,
            status=ending.status,
            cost_micros=ending.cost_micros,
            tokens_in=ending.tokens_in,
            tokens_out=ending.tokens_out,
            tokens_cached=ending.tokens_cached,
            is_estimated=ending.is_estimated,
            attempts=ending.attempts,
            latency_ms=ending.latency_ms,
            first_token_ms=ending.first_token_ms,
            served_model=ending.served_model,
            rate_id=ending.rate_id,
            finish_reason=ending.finish_reason,
            answer=ending.answer,
            error=ending.error[:MAX_ERROR],
        )
        if changed != 1:
            raise Overtaken
        call = _call.get(call_id=ticket.call_id)
        _record("llm.call.finished", call)
        budget.settle(call, cost_micros=ending.cost_micros, state=state)
    return call


@prepared_update
def _end(
    *,
    call_id: int,
    status: str,
    cost_micros: int,
    tokens_in: int,
    tokens_out: int,
    tokens_cached: int,
    is_estimated: bool,
    attempts: int,
    latency_ms: int,
    first_token_ms: int | None,
    served_model: str,
    rate_id: int | None,
    finish_reason: str,
    answer: str,
    error: str,
) -> Change:
    return LLMCall.objects.filter(pk=call_id, status=LLMCall.Status.RUNNING), {
        "status": status,
        "cost_micros": cost_micros,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "tokens_cached": tokens_cached,
        "is_estimated": is_estimated,
        "attempts": attempts,
        "latency_ms": latency_ms,
        "first_token_ms": first_token_ms,
        "served_model": served_model,
        "rate_id": rate_id,
        "finish_reason": finish_reason,
        "answer": answer,
        "error": error,
        "finished_at": GreenroomNow(),
    }


def lose(call_id: int, *, is_dead: bool = False) -> bool:
    """Write off a running call whose lease has ended, at all it held.

    Announces: `llm.call.lost`.

    Args:
        call_id: The call.
        is_dead: Its worker has lost the right to it; its lease does not count.

    Returns:
        False when the call is not running or its worker may still be alive.
    """
    alive = Reservation.objects.filter(
        call=OuterRef("pk"), state=Reservation.State.RESERVED, lease_until__gt=GreenroomNow()
    )
    with transaction.atomic():
        dead = LLMCall.objects.filter(pk=call_id, status=LLMCall.Status.RUNNING)
        if not is_dead:
            dead = dead.filter(~Exists(alive))
        held = Reservation.objects.filter(call=call_id).order_by("-amount_micros").first()
        changed = dead.update(
            status=LLMCall.Status.LOST,
            cost_micros=held.amount_micros if held else 0,
            is_estimated=True,
            error="The worker that asked ended before the answer was written down.",
            finished_at=GreenroomNow(),
        )
        if changed != 1:
            return False
        call = LLMCall.objects.get(pk=call_id)
        _record("llm.call.lost", call)
        budget.settle(call, cost_micros=0, state=Reservation.State.LOST)
    return True


def _record(event_type: str, call: LLMCall) -> None:
    events.record(
        type=event_type,
        subject_kind="call",
        subject_id=call.pk,
        workspace_id=call.workspace_id,
        agent_id=call.agent_id,
        payload={
            "purpose": call.purpose,
            "model": call.served_model or call.model,
            "status": call.status,
            "turn_id": call.turn_id,
            "tokens_in": call.tokens_in,
            "tokens_out": call.tokens_out,
            "cost_micros": call.cost_micros,
            "is_estimated": call.is_estimated,
        },
    )
