"""Runs what models ask of tools: granted ones only, with checked arguments, once per request."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from pydantic import ValidationError

from agentapp.events import services as events
from agentapp.foundation.errors import AgentError
from agentapp.foundation.text import normalised, one_line
from agentapp.tools.models import ToolCall
from agentapp.tools.registry import Tool
from agentapp.turns.models import Turn

logger = logging.getLogger(__name__)

MAX_ARGUMENTS = 4_000  # characters that are kept of what a model wrote
MAX_RESULT = 4_000  # characters that a model is told
MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the n-th of the model's answer in one step of a thought."""

    step: int
    ordinal: int
    name: str
    arguments: str


def dispatch(*, turn: Turn, asked: Asked, tools: Mapping[str, Tool[Any]]) -> str:
    """Do what was asked and return what the model is told, also when it cannot be done.

    Asking again for the same request returns what was told before. Writes: ToolCall, Event
    `tool.called`, and whatever the tool writes.

    Args:
        turn: The thought that asks.
        asked: What came from the model; nothing of it is trusted.
        tools: What this agent was granted, by name.
    """
    known = ToolCall.objects.filter(turn=turn, step=asked.step, ordinal=asked.ordinal).first()
    if known is not None:
        return known.result
    status, result = _run(turn, asked, tools.get(asked.name))
    result = normalised(result)[:MAX_RESULT]
    _keep(turn, asked, status, result)
    return result


def _run(turn: Turn, asked: Asked, tool: Tool[Any] | None) -> tuple[str, str]:
    if tool is None:
        return ToolCall.Status.REFUSED, f"There is no tool {one_line(asked.name)!r} here."
    try:
        arguments = tool.arguments.model_validate_json(asked.arguments or "{}")
    except ValidationError as error:
        return ToolCall.Status.REFUSED, f"The arguments do not fit: {_said(error)}"
    try:
        return ToolCall.Status.DONE, tool.run(turn, arguments)
    except AgentError as error:
        return ToolCall.Status.FAILED, error.message


def _said(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in problems[:5]
    )


@transaction.atomic
def _keep(turn: Turn, asked: Asked, status: str, result: str) -> None:
    call, is_new = ToolCall.objects.get_or_create(
        turn=turn,
        step=asked.step,
        ordinal=asked.ordinal,
        defaults={
            "workspace_id": turn.workspace_id,
            "name": one_line(asked.name, limit=MAX_NAME),
            "arguments": normalised(asked.arguments)[:MAX_ARGUMENTS],
            "status": status,
            "result": result,
        },
    )
    if is_new:
        logger.info("turn %d used %s: %s", turn.pk, call.name, status)
        events.record(
            type="tool.called",
            subject_kind="turn",
            subject_id=turn.pk,
            workspace_id=turn.workspace_id,
            agent_id=turn.agent_id,
            room_id=turn.room_id,
            payload={"tool": call.name, "status": str(status), "step": asked.step},
        )
