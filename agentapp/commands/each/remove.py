"""`/remove`: whoever looks after a room takes an agent, or all of them, out of it."""

from __future__ import annotations

from agentapp.commands.ordering import carry_out
from agentapp.commands.shapes import Command, Option, OptionKind, Where, Who

COMMAND = Command(
    name="remove",
    description="Take an agent out of this room; it comes back by a new invitation only.",
    carry_out=carry_out,
    options=(
        Option("agent", "Which agent, or all", OptionKind.AGENT, is_required=True, takes_all=True),
    ),
    who=Who.MODERATOR,
    offered=frozenset({Where.ROOM}),
)
