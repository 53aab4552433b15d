"""The single door to models.

`ask` does, in this order: refuse inside a transaction; return what the key was answered before;
choose server and model; set the most it may cost aside; write the call's row; give the database
connection back; ask, with one layer of retries, until one deadline; settle what it cost; and when
nothing of an answer has come, do the same with the next server.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from agentapp.foundation.database import fresh_connection, refuse_open_transaction
from agentapp.llm import budget, calls, circuit
from agentapp.llm.adapters.protocol import ChatMessage, Picture, Role, ToolRequest, ToolSpec, Watch
from agentapp.llm.budget import NotEnough
from agentapp.llm.errors import (
    BudgetExhausted,
    NoProvider,
    ProviderUnavailable,
    Stopped,
)
from agentapp.llm.exchange import OnText, answered
from agentapp.llm.means import Means, means_for
from agentapp.llm.models import LLMCall, Provider
from agentapp.llm.purses import Purse
from agentapp.llm.routes import Route
from agentapp.llm.rules import money, pictures
from agentapp.llm.rules.money import Level
from agentapp.llm.rules.picking import answer_allowance
from agentapp.llm.rules.retrying import ROOM_TO_ANSWER_SECONDS
from agentapp.llm.tickets import Answer, Offer, Question, Ticket

__all__ = [
    "Answer",
    "BudgetExhausted",
    "ChatMessage",
    "NoProvider",
    "Picture",
    "ProviderUnavailable",
    "Role",
    "Stopped",
    "ToolRequest",
    "ToolSpec",
    "ask",
]

logger = logging.getLogger(__name__)
_BACKGROUND = {LLMCall.Purpose.DECIDE}


def ask(
    *,
    workspace_id: int,
    purpose: str,
    messages: Sequence[ChatMessage],
    key: str,
    agent_id: int | None = None,
    turn_id: int | None = None,
    max_tokens: int = 600,
    temperature: float = 0.7,
    deadline_seconds: float = 60,
    on_text: OnText | None = None,
    should_stop: Callable[[], bool] | None = None,
    background: bool | None = None,
    takes_over: bool = False,
    tools: Sequence[ToolSpec] = (),
    must_talk: bool = False,
) -> Answer:
    """Ask the workspace's model once and pay for it once.

    Writes: LLMCall, Reservation, Spend. Calls: the workspace's model servers in their order, with
    retries and the next server before the first token only. Announces: `llm.call.finished`,
    `budget.exhausted`, `provider.failed`.

    Args:
        workspace_id: Whose provider answers and whose budget pays.
        purpose: One of `LLMCall.Purpose`; small work (decide, screen) goes to the cheap model.
        messages: The prompt.
        key: Asking again with a key that was answered returns that answer and costs nothing.
        agent_id: Its own budget, where it has one, must fit too.
        turn_id: The decision that this call belongs to.
        max_tokens: The most the answer may hold.
        temperature: 0 to 2; left out for models that do not take one.
        deadline_seconds: For everything, retries included, by this process's monotonic clock.
        on_text: Gets the answer's text as it streams. It must not touch the database.
        should_stop: Asked at most every 0.25 s; may read the database.
        background: Nobody waits for the answer, so it may use only the background's share of
            the day; by default so for `decide`.
        takes_over: The caller has taken over the work of whoever asked with this key before, who
            may no longer use an answer: a call that is open is written off at its most.
        tools: What the model may ask for before it answers; a server that knows no tools is asked
            without them.
        must_talk: It may ask for nothing any more, only answer.

    Raises:
        OpenTransaction: Called inside a transaction.
        StillRunning: The same key is being answered right now.
        NoProvider: No model is connected that may answer here.
        BudgetExhausted: It does not fit today's budget.
        ProviderUnavailable: No answer; the message says why. What it cost is settled.
        Stopped: `should_stop` said so. What it cost is settled.
    """
    refuse_open_transaction()
    question = Question(
        workspace_id=workspace_id,
        purpose=purpose,
        messages=tuple(messages),
        key=calls.key_of(key),
        agent_id=agent_id,
        turn_id=turn_id,
        max_tokens=max_tokens,
        temperature=temperature,
        deadline_seconds=deadline_seconds,
        is_background=purpose in _BACKGROUND if background is None else background,
        tools=tuple(tools),
        must_talk=must_talk,
    )
    watch = _watch(deadline_seconds, should_stop)
    means, attempt_key = means_for(question), question.key
    if not means.is_new:
        saved, attempt_key = calls.saved_answer(question.key, takes_over=takes_over)
        if saved is not None:
            return saved
    return _first_answer(question, attempt_key, means, watch=watch, on_text=on_text)


def _first_answer(
    question: Question, key: str, means: Means, *, watch: Watch, on_text: OnText | None
) -> Answer:
    """Ask one server after the other until one begins to answer.

    Each is a call of its own, with its own row and its own money; the first to begin is the last
    to be asked, so that nobody ever sees words of two.
    """
    if not means.providers:
        raise NoProvider
    *others, last = means.providers
    for provider in others:
        try:
            with circuit.guarded(provider, deadline_seconds=question.deadline_seconds):
                ticket = _reserved(question, key, means, provider)
                return answered(ticket, watch=watch, on_text=on_text, has_next=True)
        except ProviderUnavailable as failure:
            watch.take_time()
            if not failure.may_be_asked_elsewhere or watch.remaining() < ROOM_TO_ANSWER_SECONDS:
                raise
            logger.info("call %s: no answer by %s, asking the next", key, provider.name)
        saved, key = calls.saved_answer(question.key)
        if saved is not None:
            return saved
        means = means_for(question)
    with circuit.guarded(last, deadline_seconds=question.deadline_seconds):
        ticket = _reserved(question, key, means, last)
        return answered(ticket, watch=watch, on_text=on_text)


def _watch(seconds: float, should_stop: Callable[[], bool] | None) -> Watch:
    def asked_to_stop() -> bool:
        # Whatever connection the question needs goes back at once: a stream lasts long.
        with fresh_connection():
            return should_stop is not None and should_stop()

    deadline = time.monotonic() + seconds
    return Watch(deadline=deadline, should_stop=asked_to_stop if should_stop else None)


def _reserved(question: Question, key: str, means: Means, provider: Provider) -> Ticket:
    ways = means.ways_to(provider, purpose=question.purpose)
    if question.is_background and means.level is not Level.OK and not ways[0].price.is_free:
        raise BudgetExhausted("Little is left of today's budget; it is kept for who asks.")
    return reserved(
        [
            offered(question, key=key, way=way, purses=means.purses, is_new=means.is_new)
            for way in ways
        ]
    )


def reserved(offers: Sequence[Offer]) -> Ticket:
    """Set money aside for the first of several offers that fits.

    Raises:
        BudgetExhausted: None fits; a row and, once a day, an event say so.
    """
    for offer in offers[:-1]:
        try:
            return calls.open_call(offer)
        except NotEnough:
            logger.info("call %s: %s does not fit, trying another", offer.key, offer.route.model)
    last = offers[-1]
    try:
        return calls.open_call(last)
    except NotEnough as short:
        calls.refuse(last, why=short.message)
        if short.is_final:
            budget.mark_exhausted(short.purse, workspace_id=last.question.workspace_id)
        raise


def offered(
    question: Question, *, key: str, way: Route, purses: list[Purse], is_new: bool = True
) -> Offer:
    """Return a question to a model with the most that it may cost."""
    max_tokens = answer_allowance(way.model, question.max_tokens)
    shown = question.pictures() if way.target.reads_pictures else 0
    most = way.most_micros(
        tokens_in=money.most_tokens(question.texts()) + shown * pictures.MOST_TOKENS,
        tokens_out=max_tokens,
    )
    return Offer(question, key, way, max_tokens, most, purses, is_new)
