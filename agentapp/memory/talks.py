"""Goes over talks that have ended: what they were about, and what people told of themselves."""

from __future__ import annotations

import json
import logging
import time

from django.template import engines

from agentapp.foundation import faults
from agentapp.foundation.secrets import digest
from agentapp.llm import gateway
from agentapp.llm.errors import (
    BudgetExhausted,
    NoProvider,
    Overtaken,
    ProviderUnavailable,
    StillRunning,
)
from agentapp.llm.gateway import ChatMessage, Role
from agentapp.memory.models import Talk
from agentapp.memory.queries.talks import Said, read_talk
from agentapp.memory.rules.talks import PREDICATES, Gist, Unreadable, is_worth_noting, read_notes
from agentapp.memory.services import talks
from agentapp.memory.services.talks import TalkTaken

logger = logging.getLogger(__name__)

MAX_TALKS = 40  # of one run
MAX_SECONDS = 240.0  # of one run
ANSWER_SECONDS = 60.0
ANSWER_TOKENS = 700


def close_due(*, limit: int = MAX_TALKS) -> int:
    """Go over talks that have been over for half an hour; harmless when run twice at once.

    Writes: Talk, Memory, Fact, Events. Calls: the workspace's cheap model, outside any
    transaction, from the background's share of its budget. A model that is not to be had is
    asked again later; after two days a talk is left without notes.

    Returns:
        How many talks were ended.
    """
    talks.open_talks()
    began = time.monotonic()
    ended = 0
    for _ in range(limit):
        talk = talks.claim_talk() if time.monotonic() - began < MAX_SECONDS else None
        if talk is None:
            break
        faults.passing("talk.claimed")
        ended += _go_over(talk)
    return ended


def _go_over(talk: Talk) -> bool:
    if talk.attempts > talks.MAX_ATTEMPTS:
        talks.postpone_talk(talk=talk, error="Whoever went over it did not come back.")
        return False
    said = read_talk(talk)
    if not is_worth_noting(said.lines):
        return _close(talk, said, Gist(), outcome="brief")
    try:
        answer = _ask(talk, said)
    except (BudgetExhausted, NoProvider, ProviderUnavailable, StillRunning, Overtaken) as error:
        logger.info("talk %d waits: %s", talk.pk, error.message)
        talks.postpone_talk(talk=talk, error=error.message)
        return False
    try:
        gist = read_notes(answer.text, lines=said.lines, strangers=said.strangers)
    except Unreadable:
        logger.info("talk %d: the model's notes cannot be read", talk.pk)
        return _close(talk, said, Gist(), outcome="unreadable", call_id=answer.call_id)
    return _close(talk, said, gist, outcome="noted", call_id=answer.call_id)


def _close(talk: Talk, said: Said, gist: Gist, *, outcome: str, call_id: int | None = None) -> bool:
    try:
        talks.close_talk(talk=talk, said=said, gist=gist, outcome=outcome, call_id=call_id)
    except TalkTaken as error:
        talks.postpone_talk(talk=talk, error=error.message)
        return False
    return True


def _ask(talk: Talk, said: Said) -> gateway.Answer:
    lines = [
        _data(
            id=line.message_id,
            **{"from": said.person if line.is_persons else said.agent},
            **({} if line.is_persons else {"agent": True}),
            text=line.text,
        )
        for line in said.lines
    ]
    return gateway.ask(
        workspace_id=talk.workspace_id,
        purpose="summarise",
        messages=(
            ChatMessage(
                Role.SYSTEM,
                _rendered("talk_system.txt", agent=said.agent, predicates=", ".join(PREDICATES)),
            ),
            ChatMessage(Role.USER, _rendered("talk_user.txt", lines=lines)),
        ),
        # An edited message makes another question; the same one is paid once.
        key=f"talk:{talk.pk}:{digest(chr(10).join(lines))}",
        agent_id=talk.agent_id,
        max_tokens=ANSWER_TOKENS,
        temperature=0,
        deadline_seconds=ANSWER_SECONDS,
        background=True,
        takes_over=talk.attempts > 1,
    )


def _data(**fields: object) -> str:
    """Return one line of JSON that cannot close the block it stands in."""
    line = json.dumps(fields, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


def _rendered(template: str, **context: object) -> str:
    return engines["prompts"].get_template(template).render(context)
