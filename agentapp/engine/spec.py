"""What the engine takes from a blueprint's text; anything unusable reads as not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentapp.identity.models import Agent
from agentapp.identity.rules import CAPABILITIES, DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from agentapp.tools.registry import Tool, granted


def words(agent: Agent, key: str) -> tuple[str, ...]:
    """Return one of the spec's lists, such as `interests`."""
    value = _spec(agent).get(key)
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def capabilities(agent: Agent) -> frozenset[str]:
    """Return the kinds of acts the agent may propose; a spec that names none allows all."""
    return frozenset(words(agent, "capabilities") or CAPABILITIES)


def tools(agent: Agent) -> list[Tool[Any]]:
    """Return the tools that the agent may use; a spec that names none grants all there are.

    An emoji is an outward act, so it takes the capability as well.
    """
    named = _spec(agent).get("tools")
    found = granted(words(agent, "tools") if isinstance(named, list) else None)
    return [tool for tool in found if not tool.acts_as or tool.acts_as in capabilities(agent)]


def instructions(agent: Agent) -> str:
    """Return who the agent is, in its owner's words."""
    return str(_spec(agent).get("instructions") or "")


def temperature(agent: Agent) -> float:
    """Return how freely the model may choose its words."""
    value = _model(agent).get("temperature")
    return float(value) if isinstance(value, (int, float)) else DEFAULT_TEMPERATURE


def max_tokens(agent: Agent) -> int:
    """Return the most an answer may hold."""
    value = _model(agent).get("max_tokens")
    return int(value) if isinstance(value, (int, float)) else DEFAULT_MAX_TOKENS


def _spec(agent: Agent) -> Mapping[str, object]:
    spec = agent.version.spec
    return spec if isinstance(spec, dict) else {}


def _model(agent: Agent) -> Mapping[str, object]:
    model = _spec(agent).get("model")
    return model if isinstance(model, dict) else {}
