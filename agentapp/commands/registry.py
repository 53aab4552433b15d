"""The commands there are: every module of the package `each`, found without being listed."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from types import ModuleType

from agentapp.commands import each, rules
from agentapp.commands.shapes import Command, Parsed, Where


def found_in(package: ModuleType) -> dict[str, Command]:
    """Return the commands of a package's modules by name, in the order of their names.

    Raises:
        LookupError: A module has no `COMMAND`, or two commands answer to one name.
    """
    commands: dict[str, Command] = {}
    taken: set[str] = set()
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        command = getattr(loaded, "COMMAND", None)
        if not isinstance(command, Command):
            raise LookupError(f"{loaded.__name__} has no COMMAND.")  # noqa: TRY004  (of no type)
        names = {command.name, *command.aliases}
        if taken & names:
            raise LookupError(f"{loaded.__name__}: another command has one of its names.")
        taken |= names
        commands[command.name] = command
    return commands


@cache
def known() -> Mapping[str, Command]:
    """Return all commands by name."""
    return found_in(each)


def definitions(*, offered: Where | None = None) -> list[Command]:
    """Return the commands that a platform is to register, by name.

    Args:
        offered: Only those that are offered there.
    """
    return [one for one in known().values() if offered is None or offered in one.offered]


def usage(command: Command) -> str:
    """Say what follows a command's name; what may be left out stands in brackets, "" is nothing."""
    return " ".join(
        f"<{option.name}>" if option.is_required else f"[{option.name}]"
        for option in command.options
    )


def parse(
    text: str,
    *,
    names: Mapping[str, int],
    mentioned: Collection[int] = (),
    is_addressed: bool = False,
    is_moderator: bool = False,
    commands: Iterable[Command] | None = None,
) -> Parsed | None:
    """Return the command that somebody typed as a whole message, or None for talk.

    `!stop` and `/stop` always are one; a phrase such as "leave me alone" only where an agent is
    addressed with it.

    Args:
        names: What the agents of the room that this login knows of are called there, user ids
            among them, each with the agent's id.
        mentioned: Ids of agents that the message mentions.
        is_addressed: It is meant for an agent whatever it opens with: a direct room, a reply.
        is_moderator: Whoever wrote it looks after the room.
    """
    around = rules.Around(names, mentioned, is_addressed, is_moderator)
    listed = known().values() if commands is None else commands
    return rules.parse_typed(text, commands=listed, around=around)
