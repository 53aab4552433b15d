"""Proves an address, a key and a model by one real, tiny completion."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field

from django.template import loader

from agentapp.foundation import clock
from agentapp.foundation.database import released_connection
from agentapp.identity.models import Workspace
from agentapp.llm import local_servers
from agentapp.llm.adapters import model_lister
from agentapp.llm.adapters.protocol import (
    ChatMessage,
    DeadlinePassed,
    Failure,
    FailureKind,
    Role,
    Target,
    Watch,
)
from agentapp.llm.errors import NotProven, ProviderUnavailable
from agentapp.llm.exchange import answered
from agentapp.llm.gateway import offered, reserved
from agentapp.llm.models import LLMCall
from agentapp.llm.prices import known_price, price_in_words
from agentapp.llm.purses import Payer, purses_of
from agentapp.llm.routes import Route, price_of_another
from agentapp.llm.rules import days
from agentapp.llm.rules.picking import can_talk, picked_models
from agentapp.llm.tickets import Answer, Question

LIST_SECONDS = 15.0
ANSWER_SECONDS = 30.0
ANSWER_TOKENS = 64
MAX_OFFERED = 200
_LISTING_IS_OPTIONAL = {
    FailureKind.ADDRESS,
    FailureKind.MALFORMED,
    FailureKind.MODEL,
    FailureKind.REQUEST,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server that somebody wants to use; the models are "" when they are to be picked."""

    kind: str
    base_url: str
    key: str
    reply_model: str
    cheap_model: str

    @property
    def target(self) -> Target:
        """Return where to send requests. It belongs to no stored provider yet."""
        return Target("", base_url=self.base_url, key=self.key)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the completion showed.

    Attributes:
        models: The names to choose others from.
        program: "Ollama" or "vLLM" when that is what runs on one's own machine.
        bills_as: The dearer model that answered, by the one that was asked; mostly empty.
    """

    model: str
    cheap_model: str
    seconds: float
    cost_micros: int
    text: str
    price: str
    models: list[str]
    call_id: int
    program: str = ""
    bills_as: dict[str, str] = field(default_factory=dict)


def prove(*, workspace: Workspace, candidate: Candidate) -> Proof:
    """Ask the server for its models and one of them for a word; the budget pays.

    Calls: two requests. Writes: LLMCall, Reservation, Spend (through the gateway).

    Raises:
        NotProven: Something does not work; the message says what to do.
        BudgetExhausted: Not even this fits today's budget.
    """
    names = _listed(candidate)
    reply, cheap = _chosen(candidate, names)
    began = time.monotonic()
    try:
        answer = _asked(workspace, candidate, reply)
    except ProviderUnavailable as error:
        raise NotProven(error.message) from error
    way = _route(workspace, candidate, reply)
    return Proof(
        model=reply,
        cheap_model=cheap,
        seconds=round(time.monotonic() - began, 2),
        cost_micros=answer.cost_micros,
        text=answer.text,
        price=price_in_words(way.price),
        models=[name for name in names if can_talk(name)][:MAX_OFFERED],
        call_id=answer.call_id,
        program=local_servers.program_at(candidate.base_url),
        bills_as=_dearer(workspace, way, answer.model),
    )


def _dearer(workspace: Workspace, way: Route, served: str) -> dict[str, str]:
    day = days.local_day(clock.now(), workspace.timezone)
    price = price_of_another(way, served, day=day)
    return {way.model: served} if price is not None and way.price.is_passed_by(price) else {}


def _listed(candidate: Candidate) -> list[str]:
    """Return the server's models; none when it does not list any but one was named."""
    try:
        with released_connection():
            return model_lister(candidate.kind)(candidate.target, Watch.lasting(LIST_SECONDS))
    except DeadlinePassed:
        raise NotProven(
            f"The server did not answer within {LIST_SECONDS:.0f} seconds. "
            "Check the address, and that the server is running."
        ) from None
    except Failure as failure:
        if candidate.reply_model and failure.kind in _LISTING_IS_OPTIONAL:
            return []
        raise NotProven(failure.message) from failure


def _chosen(candidate: Candidate, names: list[str]) -> tuple[str, str]:
    reply, cheap = picked_models(names)
    if candidate.reply_model:
        known = candidate.cheap_model or cheap or candidate.reply_model
        return candidate.reply_model, known
    if not reply:
        raise NotProven(
            "The server offers no model that can talk. Load one there first, or name it here."
        )
    return reply, candidate.cheap_model or cheap


def _asked(workspace: Workspace, candidate: Candidate, model: str) -> Answer:
    words = loader.get_template("prove.txt", using="prompts").render()
    question = Question(
        workspace_id=workspace.pk,
        purpose=LLMCall.Purpose.PROVE,
        messages=(ChatMessage(Role.USER, words),),
        key=f"prove:{uuid.uuid4()}",
        agent_id=None,
        turn_id=None,
        max_tokens=ANSWER_TOKENS,
        temperature=0.0,
        deadline_seconds=ANSWER_SECONDS,
        is_background=False,
    )
    day = days.local_day(clock.now(), workspace.timezone)
    (purses,) = purses_of([Payer(workspace, None, day)])
    way = _route(workspace, candidate, model)
    ticket = reserved([offered(question, key=question.key, way=way, purses=purses)])
    return answered(ticket, watch=Watch.lasting(ANSWER_SECONDS))


def _route(workspace: Workspace, candidate: Candidate, model: str) -> Route:
    day = days.local_day(clock.now(), workspace.timezone)
    kind = candidate.kind
    price = known_price(kind=kind, base_url=candidate.base_url, model=model, day=day)
    return Route(kind=kind, target=candidate.target, model=model, price=price, provider_pk=None)
