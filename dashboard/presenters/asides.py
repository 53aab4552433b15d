"""Commands as a room's composer offers them, and the answers that only one member sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agentapp.commands.queries import shown_to
from agentapp.commands.registry import definitions, usage
from agentapp.commands.shapes import Where, Who
from agentapp.identity.models import User

MOST = 5  # of the newest; older ones appear when these are dismissed


@dataclass(frozen=True, slots=True)
class AsideShown:
    """One answer, as Markdown."""

    id: int
    command: str
    text: str
    at: datetime


def show_asides(user: User, *, room_id: int) -> list[AsideShown]:
    """Return what waits for this user in a room, the newest first; one query."""
    rows = shown_to(user, room_id=room_id)[:MOST]
    return [AsideShown(row.pk, row.command, row.words, row.created_at) for row in rows]


@dataclass(frozen=True, slots=True)
class CommandShown:
    """One command of the list that opens with a slash.

    Attributes:
        names: It and its other names, by spaces.
        usage: What may follow it; "" for nothing.
        needs_more: Without it nothing is done.
    """

    name: str
    names: str
    usage: str
    needs_more: bool
    description: str


def show_commands(where: Where, *, is_moderator: bool) -> list[CommandShown]:
    """Return the commands that somebody may use in a room, by name. Asks the database nothing."""
    return [
        CommandShown(
            name=command.name,
            names=" ".join([command.name, *command.aliases]),
            usage=usage(command),
            needs_more=any(option.is_required for option in command.options),
            description=command.description,
        )
        for command in definitions(offered=where)
        if is_moderator or command.who is Who.MEMBER
    ]
