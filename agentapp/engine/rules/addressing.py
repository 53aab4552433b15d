"""Whom a message is meant for."""

from __future__ import annotations

from enum import StrEnum

from agentapp.engine.rules.views import Line, Mind, Place
from agentapp.intake.rules import begins_with_name, calls_by_name


class Meant(StrEnum):
    """Whom a message is meant for, seen by one agent."""

    ME = "me"
    OTHER = "other"
    NOBODY = "nobody"


def meant_for(line: Line, *, mind: Mind, place: Place) -> Meant:
    """Say whom a message is meant for.

    In a direct room every human means the agent. Elsewhere a name, mentioned or called first,
    outweighs the message it is a reply to.
    """
    if place.kind == "direct" and line.is_human:
        return Meant.ME
    if mind.id in line.mentioned_agents or begins_with_name(line.text, name=mind.name):
        return Meant.ME
    if line.mentioned_agents or line.mentions_others or _calls_other(line, mind, place):
        return Meant.OTHER
    if line.reply_to_agent == mind.id:
        return Meant.ME
    if line.reply_to_agent is not None or line.replies_to_other:
        return Meant.OTHER
    return Meant.NOBODY


def how(line: Line, *, mind: Mind, place: Place) -> str:
    """Say in words how a message reaches the agent it is meant for."""
    if mind.id in line.mentioned_agents:
        return f"{line.author_name} mentioned {mind.name}."
    if begins_with_name(line.text, name=mind.name):
        return f"{line.author_name} called {mind.name} by name."
    if line.reply_to_agent == mind.id:
        return f"{line.author_name} answered {mind.name}."
    if place.kind == "direct":
        return f"{line.author_name} wrote to {mind.name} directly."
    return f"{line.author_name} spoke to {mind.name}."


def _calls_other(line: Line, mind: Mind, place: Place) -> bool:
    agents = (name for agent_id, name in place.agents.items() if agent_id != mind.id)
    names = {*agents, *place.people} - {line.author_name, mind.name}
    return any(calls_by_name(line.text, name=name) for name in names)
