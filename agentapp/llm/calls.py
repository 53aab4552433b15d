"""The record of requests to models: found again by their keys, and opened before they leave."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from psycopg.errors import UniqueViolation

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import insert, prepared
from agentapp.foundation.secrets import digest
from agentapp.llm import budget
from agentapp.llm.budget import Purse
from agentapp.llm.closing import MAX_ERROR, lose
from agentapp.llm.errors import StillRunning
from agentapp.llm.models import LLMCall
from agentapp.llm.routes import Route
from agentapp.llm.tickets import Answer, Question, Ticket

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
