"""`/mute`: whoever looks after a room lets an agent, or all of them, be silent there."""

from __future__ import annotations

from agentapp.commands.ordering import carry_out
from agentapp.commands.shapes import Command, Option, OptionKind, Where, Who

MAX_HOURS = 24 * 30

COMMAND = Command(
    name="mute",
    description="Mute an agent in this room, for some hours or until somebody lifts it.",
    carry_out=carry_out,
    options=(
        Option("agent", "Which agent, or all", OptionKind.AGENT, is_required=True, takes_all=True),
        Option("hours", "For how many hours", OptionKind.HOURS, least=1 / 60, most=MAX_HOURS),
    ),
    who=Who.MODERATOR,
    offered=frozenset({Where.ROOM}),
)
