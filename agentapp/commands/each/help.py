"""`/help`: what somebody may ask for here, who runs the agents, and who can read along."""

from __future__ import annotations

from agentapp.commands import registry
from agentapp.commands.queries import owners_of, readers_of
from agentapp.commands.shapes import Asked, Command, OptionKind, Said, Where, Who


def _help(asked: Asked) -> Said:
    where = Where.DIRECT if asked.is_direct else Where.ROOM
    lines = [
        f"- `/{command.name}{_takes(command)}`: {command.description}"
        for command in registry.definitions(offered=where)
        if command.who is Who.MEMBER or asked.call.is_moderator
    ]
    about = [owners_of(asked), readers_of(asked)]
    return Said("\n".join(["What you can ask for here:", *lines, "", *filter(None, about)]))


def _takes(command: Command) -> str:
    """Say what follows a command's name; what may be left out stands in brackets."""
    words = []
    for option in command.options:
        shown = option.name if option.kind is OptionKind.FLAG else f"<{option.name}>"
        words.append(f" {shown}" if option.is_required else f" [{shown}]")
    return "".join(words)


COMMAND = Command(
    name="help",
    description="See what you can ask for here, who runs the agents and who can read along.",
    carry_out=_help,
    aliases=("commands",),
)
