"""Orders in a room: about an agent by who looks after it, about themselves by anybody. Pure.

Anything else is talk.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from agentapp.privacy.rules import parse_wish

EVERY_AGENT = "all"
MAX_ORDER = 300  # characters; what is longer is talk
MAX_HOURS = 24 * 30
MAX_DELETED = 20  # of an agent's last messages

_ORDER = re.compile(r"!(mute|unmute|remove|delete)\b[ \t]*([^\n]*)", re.IGNORECASE)
_HOW_LONG = re.compile(r"(?:^|\s)(\d{1,4})\s*(m|h|d)(?:in|ours?|ays?|)\s*$", re.IGNORECASE)
_HOW_MANY = re.compile(r"\s+(\d{1,4})\s*$")
_IN_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order; `hours` is None where none were named, `count` is of messages to delete."""

    act: str
    hours: float | None = None
    is_for_all: bool = False
    count: int = 1


def parse_order(
    text: str, *, names: Collection[str], is_named: bool, may_moderate: bool = True
) -> Ordered | None:
    """Return what is asked for oneself, or an order about the agent with these names, or None.

    Args:
        names: What the agent is called in the room, its user id among them.
        is_named: The message mentions it.
        may_moderate: Whoever wrote it looks after the room.
    """
    wish = parse_wish(text)
    if wish is not None:
        return Ordered(str(wish))
    if not may_moderate:
        return None
    found = _ORDER.fullmatch(text.strip()) if len(text) <= MAX_ORDER else None
    if found is None:
        return None
    act, rest = found[1].lower(), found[2].strip()
    tail = (_HOW_MANY if act == "delete" else _HOW_LONG).search(rest)
    target = (rest[: tail.start()] if tail else rest).strip().rstrip(":,").removeprefix("@")
    known = {name.casefold().removeprefix("@") for name in names if name}
    is_for_all = target.casefold() == EVERY_AGENT
    if not (target.casefold() in known or is_for_all or (is_named and target)):
        return None
    return Ordered(
        act,
        _hours(tail) if tail and act == "mute" else None,
        is_for_all,
        min(max(int(tail[1]), 1), MAX_DELETED) if tail and act == "delete" else 1,
    )


def _hours(found: re.Match[str]) -> float:
    return min(max(int(found[1]), 1) * _IN_HOURS[found[2].lower()], MAX_HOURS)
