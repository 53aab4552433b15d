"""Prints the commands that people may use in rooms, as the table in `docs/commands.md`."""

from __future__ import annotations

from django.core.management.base import BaseCommand
from typing_extensions import override

from agentapp.commands.registry import definitions, usage
from agentapp.commands.shapes import Command as RoomCommand
from agentapp.commands.shapes import Where, Who

HEAD = "| Command | What it does | Who | Where | In words |\n|---|---|---|---|---|"
_PLACES = {Where.ROOM: "rooms", Where.DIRECT: "direct rooms", Where.MENU: "a message's menu"}


def table() -> str:
    """Return the table of all commands in Markdown."""
    return "\n".join([HEAD, *(_row(command) for command in definitions())])


def _row(command: RoomCommand) -> str:
    typed = " ".join(filter(None, [f"/{command.name}", usage(command)]))
    who = "whoever looks after the room" if command.who is Who.MODERATOR else "everybody"
    where = ", ".join(words for place, words in _PLACES.items() if place in command.offered)
    said = ", ".join(f"“{phrase.words}”" for phrase in command.phrases)
    return f"| `{typed}` | {command.description} | {who} | {where} | {said} |"


class Command(BaseCommand):
    """List the commands."""

    help = __doc__

    @override
    def handle(self, *args: object, **options: object) -> None:
        self.stdout.write(table())
