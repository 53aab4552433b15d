"""The same door to models, for vectors: money is set aside before and settled after."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from agentapp.foundation import clock
from agentapp.foundation.database import refuse_open_transaction, released_connection
from agentapp.llm import circuit, provider_health, queries, routes
from agentapp.llm.adapters import embedder
from agentapp.llm.adapters.protocol import (
    ChatMessage,
    DeadlinePassed,
    Failure,
    Role,
    Watch,
)
from agentapp.llm.closing import close_call
from agentapp.llm.errors import BudgetExhausted, ProviderUnavailable
from agentapp.llm.gateway import offered, reserved
from agentapp.llm.models import LLMCall, Provider
from agentapp.llm.purses import Payer, purses_of
from agentapp.llm.rules import days, money
from agentapp.llm.rules.money import Level
from agentapp.llm.tickets import Ending, Question, Ticket


def embed(
    *,
    provider: Provider,
    model: str,
    dimensions: int,
    texts: Sequence[str],
    agent_id: int | None = None,
    background: bool = False,
    deadline_seconds: float = 20,
) -> list[list[float]]:
    """Ask a server for one vector per text, once, and pay for it once.

    Writes: LLMCall, Reservation, Spend. Calls: the server, outside any transaction and without
    retries: whoever needs vectors can do without them for a while.

    Args:
        provider: The server; its workspace pays.
        model: The server's name of the model.
        dimensions: How long the vectors are to be.
        texts: At least one; none may be empty.
        agent_id: Its own budget, where it has one, must fit too.
        background: Nobody waits for it, so it may use only the background's share of the day.
        deadline_seconds: By this process's monotonic clock.

    Raises:
        OpenTransaction: Called inside a transaction.
        BudgetExhausted: It does not fit today's budget.
        ProviderUnavailable: No vectors; the message says why. What it cost is settled.
    """
    refuse_open_transaction()
    question = Question(
        workspace_id=provider.workspace_id,
        purpose=LLMCall.Purpose.EMBED,
        messages=tuple(ChatMessage(Role.USER, text) for text in texts),
        key=f"embedding:{uuid.uuid4().hex}",
        agent_id=agent_id,
        turn_id=None,
        max_tokens=0,
        temperature=0,
        deadline_seconds=deadline_seconds,
        is_background=background,
    )
    with circuit.guarded(provider, deadline_seconds=deadline_seconds):
        return _answered(_reserved(question, provider, model=model), dimensions=dimensions)


def _reserved(question: Question, provider: Provider, *, model: str) -> Ticket:
    workspace = queries.workspace_row.get(workspace_id=question.workspace_id)
    day = days.local_day(clock.now(), workspace.timezone)
    (purses,) = purses_of([Payer(workspace, question.agent_id, day)])
    way = routes.route_to(provider, model=model, day=day, is_demo=workspace.is_demo)
    level = money.worst(purse.level for purse in purses)
    if question.is_background and level is not Level.OK and not way.price.is_free:
        raise BudgetExhausted("Little is left of today's budget; it is kept for who asks.")
    return reserved([offered(question, key=question.key, way=way, purses=purses)])


def _answered(ticket: Ticket, *, dimensions: int) -> list[list[float]]:
    question, route = ticket.question, ticket.route
    watch = Watch.lasting(question.deadline_seconds)
    texts = [part.content for part in question.messages]
    begun = time.monotonic()
    try:
        with released_connection():
            vectors, counted = embedder(route.kind)(
                route.target, watch, model=route.model, dimensions=dimensions, texts=texts
            )
    except (Failure, DeadlinePassed) as why:
        was_billed = watch.has_sent if isinstance(why, DeadlinePassed) else why.may_be_billed
        failed = {"error": why.message, "failure": str(why.kind)}
        _close(ticket, begun, counted=None, was_billed=was_billed, **failed)
        if isinstance(why, DeadlinePassed):
            raise ProviderUnavailable("The server sent no vectors in time.") from None
        provider_health.note_failure(ticket, why)
        raise ProviderUnavailable(why.message, kind=why.kind) from why
    except BaseException as error:
        failed = {"error": type(error).__name__, "failure": "host"}
        _close(ticket, begun, counted=None, was_billed=watch.has_sent, **failed)
        raise
    _close(ticket, begun, counted=counted, was_billed=True)
    return vectors


def _close(
    ticket: Ticket,
    begun: float,
    *,
    counted: int | None,
    was_billed: bool,
    error: str = "",
    failure: str = "",
) -> None:
    """Settle; a server that did not count is taken to have counted as we guess."""
    price = ticket.route.price
    guess = money.likely_prompt_tokens(part.content for part in ticket.question.messages)
    tokens = (guess if counted is None else counted) if was_billed else 0
    close_call(
        ticket,
        Ending(
            status=LLMCall.Status.FAILED if error else LLMCall.Status.DONE,
            was_billed=was_billed,
            cost_micros=money.cost_micros(price, tokens_in=tokens, tokens_out=0),
            tokens_in=tokens,
            is_estimated=was_billed and counted is None,
            attempts=1,
            latency_ms=int((time.monotonic() - begun) * 1000),
            rate_id=price.rate_id,
            error=error,
            failure=failure,
        ),
    )
