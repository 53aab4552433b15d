"""`/help`: what somebody may ask for here, who runs the agents, and who can read along."""

from __future__ import annotations

from agentapp.commands import registry
from agentapp.commands.queries import owners_of, readers_of
from agentapp.commands.shapes import Asked, Command, Said, Where, Who


def _help(asked: Asked) -> Said:
    where = Where.DIRECT if asked.is_direct else Where.ROOM
    lines = [
        f"- `{' '.join(filter(None, [f'/{command.name}', registry.usage(command)]))}`: "
        f"{command.description}"
        for command in registry.definitions(offered=where)
        if command.who is Who.MEMBER or asked.call.is_moderator
    ]
    about = [owners_of(asked), readers_of(asked)]
    return Said("\n".join(["What you can ask for here:", *lines, "", *filter(None, about)]))


COMMAND = Command(
    name="help",
    description="See what you can ask for here, who runs the agents and who can read along.",
    carry_out=_help,
    aliases=("commands",),
)
