"""One request, from its ticket to its settlement."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing
from random import SystemRandom
from typing import NoReturn

from agentapp.foundation import faults
from agentapp.foundation.database import fresh_connection, released_connection
from agentapp.llm import budget, calls, provider_health
from agentapp.llm.adapters import adapter_for
from agentapp.llm.adapters.protocol import (
    Chunk,
    DeadlinePassed,
    Failure,
    Request,
    StopAsked,
    ToolRequest,
    Watch,
)
from agentapp.llm.budget import NotEnough
from agentapp.llm.closing import close_call
from agentapp.llm.errors import Overtaken, ProviderUnavailable, Stopped
from agentapp.llm.models import LLMCall
from agentapp.llm.progress import Bill, Progress
from agentapp.llm.routes import price_of_another
from agentapp.llm.rules import money, pictures
from agentapp.llm.rules.money import Price
from agentapp.llm.rules.retrying import (
    ATTEMPTS_BEFORE_THE_NEXT,
    MAX_ATTEMPTS,
    SHARE_BEFORE_THE_NEXT,
    retry_wait,
)
from agentapp.llm.tickets import Answer, Ending, Ticket

logger = logging.getLogger(__name__)
_rng = SystemRandom()
OnText = Callable[[str], None]


def answered(
    ticket: Ticket, *, watch: Watch, on_text: OnText | None = None, has_next: bool = False
) -> Answer:
    """Make the request of a ticket and settle it, however it ends.

    With `has_next` another server can be asked: this one gets fewer tries, and only a part of the
    time to begin its answer.
    """
    watch.has_sent = False
    watch.take_time()
    share = watch.remaining() * SHARE_BEFORE_THE_NEXT if has_next else None
    if share is not None:
        watch.hurry(share)
    progress = Progress(
        prompt_tokens=_likely_tokens(ticket),
        max_bytes=money.most_answer_bytes(ticket.offer.max_tokens),
        most_attempts=ATTEMPTS_BEFORE_THE_NEXT if has_next else MAX_ATTEMPTS,
        first_word_seconds=share,
    )
    faults.passing("call.opened")
    try:
        with released_connection():
            _converse(ticket, progress, watch, on_text)
        faults.passing("call.answered")
        text = progress.finished_text()
    except Failure as failure:
        _fail(ticket, progress, failure, was_billed=failure.may_be_billed)
    except (DeadlinePassed, StopAsked) as ending:
        _fail(ticket, progress, ending, was_billed=watch.has_sent)
    except BaseException as error:
        _close(
            ticket,
            progress,
            was_billed=watch.has_sent,
            error=type(error).__name__,
            failure="host",
        )
        raise
    end = _close(ticket, progress, was_billed=True, answer=text, requests=progress.requests())
    faults.passing("call.settled")
    if ticket.route.had_error and ticket.route.provider_pk is not None:
        provider_health.note_success(ticket.route.provider_pk)
    return calls.answer_at(ticket, end)


def _converse(ticket: Ticket, progress: Progress, watch: Watch, on_text: OnText | None) -> None:
    """Ask until an answer has begun; after that there is no second try."""
    request = _request(ticket, watch)
    while True:
        progress.attempts += 1
        try:
            with closing(_chunks(ticket, request)) as chunks:
                for chunk in chunks:
                    shown = progress.take(chunk)
                    if shown:
                        watch.take_time()
                    faults.passing("call.streaming")
                    if shown and on_text is not None:
                        on_text(shown)
                    watch.check()
        except Failure as failure:
            wait = _wait(failure, progress, watch)
            if wait is None or not _can_afford_another(ticket, progress, failure):
                raise
        else:
            return
        watch.sleep(wait)
        watch.has_sent = False


def _chunks(ticket: Ticket, request: Request) -> Generator[Chunk]:
    yield from adapter_for(ticket.route.kind).stream(request)


def _wait(failure: Failure, progress: Progress, watch: Watch) -> float | None:
    if progress.has_text:
        return None
    return retry_wait(
        failure.kind,
        attempt=progress.attempts,
        retry_after=failure.retry_after,
        remaining=watch.remaining(),
        rng=_rng,
        most_attempts=progress.most_attempts,
    )


def _can_afford_another(ticket: Ticket, progress: Progress, failure: Failure) -> bool:
    """Hold the price of a try that failed after it was sent, beside that of the next one."""
    if not failure.may_be_billed:
        return True
    extra = ticket.route.most_micros(tokens_in=progress.prompt_tokens, tokens_out=0)
    try:
        with fresh_connection():
            budget.hold_more(
                ticket.call_id,
                ticket.offer.purses,
                micros=extra,
                is_background=ticket.question.is_background,
            )
    except (NotEnough, Overtaken):
        return False
    progress.waste()
    return True


def _likely_tokens(ticket: Ticket) -> int:
    """Return a fair guess of what the prompt counts as, for a server that does not say."""
    shown = ticket.question.pictures() if ticket.route.target.reads_pictures else 0
    words = money.likely_prompt_tokens(ticket.question.texts())
    return words + shown * pictures.LIKELY_TOKENS


def _request(ticket: Ticket, watch: Watch) -> Request:
    question = ticket.question
    return Request(
        model=ticket.route.model,
        messages=question.messages,
        max_tokens=ticket.offer.max_tokens,
        temperature=question.temperature,
        watch=watch,
        target=ticket.route.target,
        purpose=question.purpose,
        workspace_id=question.workspace_id,
        agent_id=question.agent_id,
        turn_id=question.turn_id,
        key=question.key,
        tools=question.tools,
        must_talk=question.must_talk,
    )


def _fail(
    ticket: Ticket,
    progress: Progress,
    why: Failure | DeadlinePassed | StopAsked,
    *,
    was_billed: bool,
) -> NoReturn:
    """Settle a call that has no answer and say why in our own families of errors."""
    message = why.message
    if isinstance(why, DeadlinePassed):
        message = f"The model did not answer within {_waited(ticket, progress)} seconds."
    _close(ticket, progress, was_billed=was_billed, error=message, failure=str(why.kind))
    if isinstance(why, StopAsked):
        raise Stopped from None
    if isinstance(why, DeadlinePassed):
        raise ProviderUnavailable(message, has_begun=progress.has_text) from None
    provider_health.note_failure(ticket, why)
    raise ProviderUnavailable(message, kind=why.kind, has_begun=progress.has_text) from why


def _waited(ticket: Ticket, progress: Progress) -> str:
    """Return the whole deadline, or less where the next server was to have the rest."""
    seconds = progress.first_word_seconds
    if seconds is None or progress.has_text:
        seconds = ticket.question.deadline_seconds
    return f"{round(seconds, 1):g}"


def _close(
    ticket: Ticket,
    progress: Progress,
    *,
    was_billed: bool,
    answer: str = "",
    requests: tuple[ToolRequest, ...] = (),
    error: str = "",
    failure: str = "",
) -> Ending:
    price, bill = _billed(ticket, progress, counts_last=was_billed)
    ending = Ending(
        status=LLMCall.Status.DONE if answer or requests else LLMCall.Status.FAILED,
        was_billed=was_billed or progress.wasted_tries > 0,
        cost_micros=bill.cost_micros,
        tokens_in=bill.tokens_in,
        tokens_out=bill.tokens_out,
        tokens_cached=bill.tokens_cached,
        is_estimated=bill.is_estimated,
        attempts=progress.attempts,
        latency_ms=progress.elapsed_ms,
        first_token_ms=progress.first_token_ms,
        served_model=progress.model,
        rate_id=price.rate_id,
        finish_reason=progress.finish_reason,
        answer=answer,
        requests=requests,
        error=error,
        failure=failure,
    )
    close_call(ticket, ending)
    logger.info(
        "call %d (%s by %s): %s after %d ms, %d tries, %d micros",
        ticket.call_id,
        ticket.question.purpose,
        ticket.route.model,
        ending.status,
        ending.latency_ms,
        ending.attempts,
        ending.cost_micros,
    )
    return ending


def _billed(ticket: Ticket, progress: Progress, *, counts_last: bool) -> tuple[Price, Bill]:
    """Return the bill by the asked model's price, or by that of another that answered, if dearer.

    A dearer one is noted before the call is settled: whoever asks afterwards holds enough.
    """
    route = ticket.route
    asked = progress.bill(route.price, counts_last=counts_last)
    served = price_of_another(route, progress.model, day=ticket.offer.purses[0].day)
    if served is None:
        return route.price, asked
    if route.price.is_passed_by(served):
        provider_health.note_dearer_model(ticket, model=progress.model, price=served)
    bill = progress.bill(served, counts_last=counts_last)
    return (served, bill) if bill.cost_micros > asked.cost_micros else (route.price, asked)
