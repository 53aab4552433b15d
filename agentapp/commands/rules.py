"""Reads commands out of what people type: whole messages only, anything else is talk. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from agentapp.commands.shapes import ALL, Command, Option, OptionKind, Parsed, Value, Who

MAX_TYPED = 300  # characters around the text that a command takes; what is longer is talk
IN_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}

# A name before it, as people address somebody: `@ada !stop`, `Ada: !stop`.
_ADDRESS = re.compile(r"(?:@([^\s!/]+)|([^\s@!/][^\n!/@:,]{0,78})[:,])[ \t]+")
_TYPED = re.compile(r"[!/]([a-z]+)(?!\S)", re.IGNORECASE)
_ONESELF = re.compile(r"(?:me|@\S+)", re.IGNORECASE)
_HOW_LONG = re.compile(r"(?:^|\s)(\d{1,4})\s*(m|h|d)(?:in|ours?|ays?|)\s*$", re.IGNORECASE)
_NUMBER = re.compile(r"(?:^|\s)(\d{1,4})\s*$")


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of the place where something was typed.

    Attributes:
        names: What its agents are called there, user ids among them, each with the agent's id.
        mentioned: Ids of agents that the message mentions.
        is_addressed: It is meant for an agent whatever it opens with: a direct room, a reply.
        is_moderator: Whoever wrote it looks after the room.
    """

    names: Mapping[str, int]
    mentioned: Collection[int] = ()
    is_addressed: bool = False
    is_moderator: bool = False

    def agent_called(self, name: str) -> int | None:
        """Return the agent with this name, or None."""
        folded = name.strip().removeprefix("@").casefold()
        known = {each.removeprefix("@").casefold(): pk for each, pk in self.names.items() if each}
        return known.get(folded)


def parse_typed(text: str, *, commands: Iterable[Command], around: Around) -> Parsed | None:
    """Return the command that a whole message is, or None for talk.

    Moderators' commands are talk when others type them.
    """
    fitting = [
        each
        for each in commands
        if (around.is_moderator or each.who is Who.MEMBER)
        and len(text) <= MAX_TYPED + _takes(each)  # spaces around it count, too
    ]
    clean = text.strip() if fitting else ""
    return _by_sign(clean, fitting, around) or _by_phrase(clean, fitting, around)


def _takes(command: Command) -> int:
    """Return how many characters of text a command takes."""
    lengths = (int(each.most) for each in command.options if each.kind is OptionKind.TEXT)
    return max(lengths, default=0)


def _by_sign(text: str, commands: list[Command], around: Around) -> Parsed | None:
    address = _ADDRESS.match(text)
    found = _TYPED.match(text, address.end() if address else 0)
    if found is None:
        return None
    name = found[1].lower()
    command = next((each for each in commands if name in {each.name, *each.aliases}), None)
    if command is None:
        return None
    options = read_options(command, text[found.end() :], around)
    if options is None:
        return None
    return Parsed(command, options, (address[1] or address[2]) if address else "")


def _by_phrase(text: str, commands: list[Command], around: Around) -> Parsed | None:
    if len(text) > MAX_TYPED:
        return None
    called, rest = _without_name(text, around)
    if not (called or around.is_addressed or around.mentioned):
        return None
    folded = bare(rest)
    for command in commands:
        for phrase in command.phrases:
            if bare(phrase.words) == folded:
                return Parsed(command, dict(phrase.options), called)
    return None


def _without_name(text: str, around: Around) -> tuple[str, str]:
    """Return the agent's name that a message opens or ends with, and what is left."""
    folded = text.casefold()
    for name in sorted(around.names, key=len, reverse=True):
        plain = name.removeprefix("@").casefold()
        for opening in (f"@{plain}", plain):
            if plain and folded.startswith(opening) and not _goes_on(folded[len(opening) :]):
                return name, text[len(opening) :]
            if plain and folded.endswith(f" {opening}"):
                return name, text[: -len(opening)]
    return "", text


def _goes_on(rest: str) -> bool:
    return bool(re.match(r"[\w'\u2019]", rest))


def bare(text: str) -> str:
    """Return a phrase as it is compared: lower case, without marks, single spaces."""
    folded = unicodedata.normalize("NFC", text).casefold().replace("\u2019", "'")
    kept = "".join(" " if unicodedata.category(c)[0] in "PZS" and c != "'" else c for c in folded)
    return " ".join(kept.split())


def read_options(command: Command, rest: str, around: Around) -> dict[str, Value] | None:
    """Return the options in what follows a command's name; None when something is left over."""
    takes_text = any(each.kind is OptionKind.TEXT for each in command.options)
    if "\n" in rest.strip() and not takes_text:
        return None
    options: dict[str, Value] = {}
    for option in reversed(command.options):
        found = _read(option, rest, around)
        if found is not None:
            options[option.name], rest = found
        elif option.is_required:
            return None
    left = rest.strip()
    return options if not left or _ONESELF.fullmatch(left) else None


def _read(option: Option, rest: str, around: Around) -> tuple[Value, str] | None:
    """Return an option's value at the end of a text, and the text before it."""
    match option.kind:
        case OptionKind.TEXT:
            text = rest.strip()
            return (text[: int(option.most)], "") if text else None
        case OptionKind.AGENT:
            return _read_agent(option, rest, around)
        case OptionKind.FLAG:
            words = rest.split()
            is_given = bool(words) and words[-1].casefold() == option.name
            return (True, rest.rstrip()[: -len(option.name)]) if is_given else None
        case OptionKind.HOURS:
            return _read_hours(option, rest)
        case OptionKind.COUNT:
            found = _NUMBER.search(rest)
            return (int(within(option, int(found[1]))), rest[: found.start()]) if found else None


def _read_hours(option: Option, rest: str) -> tuple[Value, str] | None:
    found = _HOW_LONG.search(rest)
    if found is not None:
        hours = int(found[1]) * IN_HOURS[found[2].lower()]
        return within(option, hours), rest[: found.start()]
    alone = _NUMBER.fullmatch(rest)  # behind a name it may be a part of that
    return (within(option, float(alone[1])), "") if alone else None


def within(option: Option, value: float) -> float:
    """Return a number inside an option's limits."""
    return min(max(value, option.least), option.most)


def _read_agent(option: Option, rest: str, around: Around) -> tuple[Value, str] | None:
    name = rest.strip().rstrip(":,").removeprefix("@")
    if option.takes_all and name.casefold() == ALL:
        return ALL, ""
    agent_id = around.agent_called(name)
    if agent_id is None and (tail := _HOW_LONG.search(name)):
        agent_id = around.agent_called(name[: tail.start()])
    if agent_id is None and name and len(around.mentioned) == 1:
        agent_id = next(iter(around.mentioned))
    return (agent_id, "") if agent_id is not None else None
