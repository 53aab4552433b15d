"""Writes down how a call ended and settles its money, once: by its worker, or without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from django.db import transaction
from django.db.models import Exists, OuterRef
from psycopg.types.json import Jsonb

from agentapp.events import services as events
from agentapp.events.models import Event
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.gathering import Gathered
from agentapp.foundation.prepared import Change, prepared_update
from agentapp.llm import budget
from agentapp.llm.budget import Settlement
from agentapp.llm.errors import Overtaken
from agentapp.llm.models import LLMCall, Reservation
from agentapp.llm.tickets import Ending, Ticket

MAX_ERROR = 400  # characters


Closing = tuple[Ticket, Ending]


@transaction.atomic
def _close(closings: Sequence[Closing]) -> list[None]:
    if not all(_end.many([_columns(ticket, ending) for ticket, ending in closings])):
        raise Overtaken
    events.record_many(_finished(ticket, ending) for ticket, ending in closings)
    budget.settle([_settlement(ticket, ending) for ticket, ending in closings])
    return [None] * len(closings)


_close_together = Gathered(_close)


def close_call(ticket: Ticket, ending: Ending) -> None:
    """Write down how a call ended and settle its money, once.

    Announces: `llm.call.finished`.

    Raises:
        Overtaken: The watchdog wrote the call off before; nothing changes.
    """
    _close_together((ticket, ending))


def _columns(ticket: Ticket, ending: Ending) -> dict[str, object]:
    return {
        "call_id": ticket.call_id,
        "status": ending.status,
        "cost_micros": ending.cost_micros,
        "tokens_in": ending.tokens_in,
        "tokens_out": ending.tokens_out,
        "tokens_cached": ending.tokens_cached,
        "is_estimated": ending.is_estimated,
        "attempts": ending.attempts,
        "latency_ms": ending.latency_ms,
        "first_token_ms": ending.first_token_ms,
        "served_model": ending.served_model,
        "rate_id": ending.rate_id,
        "finish_reason": ending.finish_reason,
        "answer": ending.answer,
        "tool_requests": Jsonb([asdict(each) for each in ending.requests]),
        "error": ending.error[:MAX_ERROR],
        "failure": ending.failure,
    }


def _settlement(ticket: Ticket, ending: Ending) -> Settlement:
    return Settlement(
        ticket.call_id,
        Reservation.State.SETTLED if ending.was_billed else Reservation.State.RELEASED,
        cost_micros=ending.cost_micros if ending.was_billed else 0,
        is_background=ticket.question.is_background,
    )


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
    tool_requests: Jsonb,
    error: str,
    failure: str,
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
        "tool_requests": tool_requests,
        "error": error,
        "failure": failure,
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
            failure="worker",
            finished_at=GreenroomNow(),
        )
        if changed != 1:
            return False
        call = LLMCall.objects.get(pk=call_id)
        events.record_many([_lost(call)])
        faults.passing("loss.written")
        lost = Settlement(
            call_id,
            Reservation.State.LOST,
            cost_micros=None,
            is_background=call.is_background,
        )
        budget.settle([lost])
    return True


def _finished(ticket: Ticket, ending: Ending) -> Event:
    question = ticket.question
    return events.made(
        type="llm.call.finished",
        subject_kind="call",
        subject_id=ticket.call_id,
        workspace_id=question.workspace_id,
        agent_id=question.agent_id,
        payload={
            "purpose": question.purpose,
            "model": ending.served_model or ticket.route.model,
            "status": ending.status,
            "turn_id": question.turn_id,
            "tokens_in": ending.tokens_in,
            "tokens_out": ending.tokens_out,
            "cost_micros": ending.cost_micros,
            "is_estimated": ending.is_estimated,
        },
    )


def _lost(call: LLMCall) -> Event:
    return events.made(
        type="llm.call.lost",
        subject_kind="call",
        subject_id=call.pk,
        workspace_id=call.workspace_id,
        agent_id=call.agent_id,
        payload={
            "purpose": call.purpose,
            "model": call.model,
            "status": call.status,
            "turn_id": call.turn_id,
            "tokens_in": call.tokens_in,
            "tokens_out": call.tokens_out,
            "cost_micros": call.cost_micros,
            "is_estimated": True,
        },
    )
