"""What a thought did, one step after the other: a model was asked, and tools on its behalf."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentapp.foundation.redaction import redacted
from agentapp.identity.models import User
from agentapp.identity.policy import visible
from agentapp.llm.models import LLMCall
from agentapp.memory.models import Memory
from agentapp.tools.models import ToolCall
from agentapp.turns.models import Turn
from dashboard.presenters.messages import shortened

MAX_WORDS = 600  # characters of what a tool was asked, and of what it told
GONE = "[no longer remembered]"
RECALL, REMEMBER = "recall", "remember"

_PURPOSES = {
    LLMCall.Purpose.REPLY: "answer",
    LLMCall.Purpose.DECIDE: "whether to answer",
    LLMCall.Purpose.SCREEN: "check of the words",
}
_STEP = re.compile(r"turn:\d+(?::(?P<step>\d+))?(?:#\d+)?")
_TOOL_WORDS = {
    ToolCall.Status.DONE: "done",
    ToolCall.Status.REFUSED: "refused",
    ToolCall.Status.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class CallShown:
    """One request to a model."""

    model: str
    purpose: str
    problem: str
    tokens: str
    latency_ms: int
    cost_micros: int


@dataclass(frozen=True, slots=True)
class ToolShown:
    """One use of a tool. `told` is what the model heard: also why it was refused."""

    name: str
    words: str
    is_done: bool
    asked: list[tuple[str, str]]
    told: list[str]


@dataclass(frozen=True, slots=True)
class DeedShown:
    """One step: exactly one of the two."""

    call: CallShown | None = None
    tool: ToolShown | None = None


def show_deeds(user: User, turns: Sequence[Turn]) -> dict[int, list[DeedShown]]:
    """Return what each thought did, in its order; three queries for any number of thoughts.

    Both are read as this user may see them. Words that an agent has since forgotten, or had taken
    back, are not told again.
    """
    found: dict[int, list[tuple[tuple[int, int, int], DeedShown]]] = defaultdict(list)
    by_id = {turn.pk: turn for turn in turns}
    for call in visible(LLMCall, user).filter(turn__in=by_id) if by_id else []:
        place = (_step_of(call), 0, call.pk)
        found[call.turn_id or 0].append((place, DeedShown(call=show_call(call))))
    uses = list(visible(ToolCall, user).filter(turn__in=by_id)) if by_id else []
    known = _remembered(user, [by_id[use.turn_id] for use in uses], uses)
    for use in uses:
        place = (use.step, 1, use.ordinal)
        found[use.turn_id].append((place, DeedShown(tool=_show_tool(use, known))))
    return {pk: [deed for _, deed in sorted(found[pk], key=lambda each: each[0])] for pk in by_id}


def show_call(call: LLMCall) -> CallShown:
    """Tell of one request to a model."""
    problems = {
        LLMCall.Status.RUNNING: "running",
        LLMCall.Status.FAILED: call.error or "failed",
        LLMCall.Status.LOST: "its worker died",
        LLMCall.Status.REFUSED: call.error or "refused",
    }
    return CallShown(
        model=call.model,
        purpose=_PURPOSES.get(LLMCall.Purpose(call.purpose), call.get_purpose_display()),
        problem=problems.get(LLMCall.Status(call.status), ""),
        tokens=f"{call.tokens_in:,} → {call.tokens_out:,}",
        latency_ms=call.latency_ms,
        cost_micros=call.cost_micros,
    )


def _step_of(call: LLMCall) -> int:
    """Return which answer of the thought it was; what came before the first is step 0."""
    match = _STEP.fullmatch(call.key)
    return int(match["step"] or 1) if match else 0


def _show_tool(use: ToolCall, known: set[str]) -> ToolShown:
    return ToolShown(
        name=use.name,
        words=_TOOL_WORDS[ToolCall.Status(use.status)],
        is_done=use.status == ToolCall.Status.DONE,
        asked=[(name, _bounded(text)) for name, text in _asked(use, known)],
        told=[_bounded(text) for text in _told(use, known)],
    )


def _asked(use: ToolCall, known: set[str]) -> list[tuple[str, str]]:
    """Return the arguments by name; what is no object is one argument without a name."""
    sent = _parsed(use.arguments)
    if not isinstance(sent, dict):
        return [("", use.arguments)] if use.arguments else []
    named = [(name, _in_words(each)) for name, each in sent.items()]
    if use.name == REMEMBER and use.status == ToolCall.Status.DONE:
        return [(name, text if text in known else GONE) for name, text in named]
    return named


def _told(use: ToolCall, known: set[str]) -> list[str]:
    texts = list(_recalled(use))
    if not texts:
        return [use.result] if use.result else []
    return [text if text in known else GONE for text in texts]


def _recalled(use: ToolCall) -> Iterator[str]:
    rows = _parsed(use.result) if use.name == RECALL else None
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict) and isinstance(row.get("text"), str):
            yield row["text"]


def _kept(use: ToolCall) -> Iterator[str]:
    sent = _parsed(use.arguments) if use.name == REMEMBER else None
    if isinstance(sent, dict):
        yield from (each for each in sent.values() if isinstance(each, str))


def _in_words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _remembered(user: User, turns: Sequence[Turn], uses: Sequence[ToolCall]) -> set[str]:
    """Return which of the texts that tools handled are remembered now."""
    texts = {text for use in uses for text in (*_recalled(use), *_kept(use))}
    if not texts:
        return set()
    rows = visible(Memory, user).filter(
        agent__in={turn.agent_id for turn in turns},
        person__in={turn.person_id for turn in turns if turn.person_id},
        withdrawn_at__isnull=True,
        deleted_at__isnull=True,
        text__in=texts,
    )
    return set(rows.values_list("text", flat=True))


def _parsed(text: str) -> object:
    try:
        found: object = json.loads(text)
    except ValueError:  # a model wrote it, or it was cut off
        return None
    return found


def _bounded(text: str) -> str:
    return shortened(redacted(text), MAX_WORDS)
