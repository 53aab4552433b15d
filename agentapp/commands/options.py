"""Options as a command takes them: of their kind, inside their limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from agentapp.commands import rules
from agentapp.commands.shapes import ALL, Command, Option, OptionKind, Value
from agentapp.foundation.errors import Invalid
from agentapp.foundation.text import normalised


def cleaned(command: Command, given: Mapping[str, Value]) -> dict[str, Value]:
    """Return the options that a command knows, safe to use.

    Raises:
        Invalid: One is missing or of another kind; the message says which.
    """
    options: dict[str, Value] = {}
    for option in command.options:
        value = given.get(option.name)
        if value is None or value is False or value == "":
            if option.is_required:
                raise Invalid(f"`/{command.name}` needs more: {option.description}.")
            continue
        options[option.name] = _CLEAN[option.kind](option, value)
    return options


def _text(option: Option, value: Value) -> str:
    clean = normalised(str(value), limit=int(option.most))
    if option.is_required and not clean:
        raise Invalid("Write some words with it.")
    return clean


def _number(option: Option, value: Value) -> float:
    if isinstance(value, (str, bool)) or not math.isfinite(value):
        raise Invalid(f"`{option.name}` takes a number.")
    return rules.within(option, float(value))


def _count(option: Option, value: Value) -> int:
    return int(_number(option, value))


def _flag(_option: Option, _value: Value) -> bool:
    return True


def _agent(option: Option, value: Value) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if option.takes_all and value == ALL:
        return ALL
    raise Invalid(f"`{option.name}` takes an agent.")


_CLEAN: dict[OptionKind, Callable[[Option, Value], Value]] = {
    OptionKind.TEXT: _text,
    OptionKind.HOURS: _number,
    OptionKind.COUNT: _count,
    OptionKind.FLAG: _flag,
    OptionKind.AGENT: _agent,
}
