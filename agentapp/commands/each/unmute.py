"""`/unmute`: ends what `/mute` began."""

from __future__ import annotations

from agentapp.commands.ordering import carry_out
from agentapp.commands.shapes import Command, Option, OptionKind, Where, Who

COMMAND = Command(
    name="unmute",
    description="Let a muted agent talk in this room again.",
    carry_out=carry_out,
    options=(
        Option("agent", "Which agent, or all", OptionKind.AGENT, is_required=True, takes_all=True),
    ),
    who=Who.MODERATOR,
    offered=frozenset({Where.ROOM}),
)
