"""The record of requests to models: found again by their keys, and opened before they leave."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from psycopg.errors import UniqueViolation

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.gathering import Gathered
from agentapp.foundation.prepared import insert, insert_many, prepared
from agentapp.foundation.secrets import digest
from agentapp.llm import budget
from agentapp.llm.adapters.protocol import ToolRequest
from agentapp.llm.budget import Holding
from agentapp.llm.closing import MAX_ERROR, lose
from agentapp.llm.errors import StillRunning
from agentapp.llm.models import LLMCall
from agentapp.llm.routes import Route
from agentapp.llm.tickets import Answer, Ending, Offer, Question, Ticket

LEASE_GRACE_SECONDS = 30  # past a call's own deadline, to write down how it ended
MAX_KEY = 64


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
    attempts = LLMCall.objects.filter(Q(key=key) | Q(key__startswith=f"{key}#")).order_by("pk")
    known = list(attempts)
    if not known:
        return None, key
    last = known[-1]
    if last.status == LLMCall.Status.DONE:
        return answer_of(last), last.key
    if last.status == LLMCall.Status.RUNNING and not lose(last.pk, is_dead=takes_over):
        raise StillRunning
    if last.status == LLMCall.Status.REFUSED:
        return None, last.key
    return None, f"{key}#{len(known) + 1}"


def answer_at(ticket: Ticket, ending: Ending) -> Answer:
    """Return the answer with which a call has just ended."""
    return Answer(
        text=ending.answer,
        call_id=ticket.call_id,
        model=ending.served_model or ticket.route.model,
        tokens_in=ending.tokens_in,
        tokens_out=ending.tokens_out,
        cost_micros=ending.cost_micros,
        finish_reason=ending.finish_reason,
        requests=ending.requests,
    )


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
        requests=tuple(ToolRequest(**each) for each in call.tool_requests),
    )


def known_keys(keys: Sequence[str]) -> set[str]:
    """Return those of the keys with which somebody has asked before. One query."""
    return set(_known(keys=list(keys)))


@prepared
def _known(keys: list[str]) -> QuerySet[LLMCall, str]:
    return LLMCall.objects.filter(key__any=keys).values_list("key", flat=True)


@transaction.atomic
def _open(offers: Sequence[Offer]) -> list[Ticket]:
    new = iter(insert_many([_row(offer) for offer in offers if offer.is_new]))
    calls = [next(new) if offer.is_new else _claimed_row(offer) for offer in offers]
    budget.reserve(
        [
            Holding(
                call.pk,
                offer.purses,
                offer.held_micros,
                lease_seconds=offer.question.deadline_seconds + LEASE_GRACE_SECONDS,
                is_background=offer.question.is_background,
            )
            for call, offer in zip(calls, offers, strict=True)
        ]
    )
    return [Ticket(call.pk, offer) for call, offer in zip(calls, offers, strict=True)]


_open_together = Gathered(_open)


def open_call(offer: Offer) -> Ticket:
    """Write the call and set its money aside, both or neither.

    Raises:
        StillRunning: Another worker opened the same key first.
        NotEnough: The money does not fit. Nothing is written.
    """
    try:
        return _open_together(offer)
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            raise StillRunning from error
        raise


def _row(offer: Offer) -> LLMCall:
    return LLMCall(**_fields(offer.question, offer.route), key=offer.key)


def _claimed_row(offer: Offer) -> LLMCall:
    """Take over a row that was refused for want of money, or write a new one."""
    refused = LLMCall.objects.filter(key=offer.key, status=LLMCall.Status.REFUSED)
    fields = _fields(offer.question, offer.route)
    if refused.update(**fields, status=LLMCall.Status.RUNNING, error="", finished_at=None):
        return LLMCall.objects.get(key=offer.key)
    return insert(_row(offer))


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


def refuse(offer: Offer, *, why: str) -> None:
    """Keep a row of a call that was never made because there was no money for it."""
    row = LLMCall(
        **_fields(offer.question, offer.route),
        key=offer.key,
        status=LLMCall.Status.REFUSED,
        error=why[:MAX_ERROR],
        finished_at=GreenroomNow(),
    )
    LLMCall.objects.bulk_create([row], ignore_conflicts=True)
