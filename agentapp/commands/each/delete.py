"""`/delete`: whoever looks after a room has an agent's last messages taken back."""

from __future__ import annotations

from agentapp.commands.ordering import carry_out
from agentapp.commands.shapes import Command, Option, OptionKind, Where, Who

MAX_DELETED = 20

COMMAND = Command(
    name="delete",
    description="Take back an agent's last messages in this room.",
    carry_out=carry_out,
    options=(
        Option("agent", "Which agent, or all", OptionKind.AGENT, is_required=True, takes_all=True),
        Option("count", "How many messages, 1 if not said", OptionKind.COUNT, most=MAX_DELETED),
    ),
    who=Who.MODERATOR,
    offered=frozenset({Where.ROOM}),
)
