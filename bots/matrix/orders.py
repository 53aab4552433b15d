"""What whoever looks after a room orders about an agent there. Pure; anything else is talk."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

ACTS = ("mute", "unmute", "remove")
EVERY_AGENT = "all"
MAX_ORDER = 300  # characters; what is longer is talk
MAX_HOURS = 24 * 30

_ORDER = re.compile(r"!(mute|unmute|remove)\b[ \t]*([^\n]*)", re.IGNORECASE)
_HOW_LONG = re.compile(r"(?:^|\s)(\d{1,4})\s*(m|h|d)(?:in|ours?|ays?|)\s*$", re.IGNORECASE)
_IN_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order; `hours` is None where none were named."""

    act: str
    hours: float | None


def parse_order(text: str, *, names: Collection[str], is_named: bool) -> Ordered | None:
    """Return an order about the agent with these names, or None.

    Args:
        names: What the agent is called in the room, its user id among them.
        is_named: The message mentions it.
    """
    found = _ORDER.fullmatch(text.strip()) if len(text) <= MAX_ORDER else None
    if found is None:
        return None
    act, rest = found[1].lower(), found[2].strip()
    long = _HOW_LONG.search(rest)
    target = (rest[: long.start()] if long else rest).strip().rstrip(":,").removeprefix("@")
    known = {name.casefold().removeprefix("@") for name in names if name}
    is_meant = target.casefold() in known or target.casefold() == EVERY_AGENT
    if not is_meant and not (is_named and target):
        return None
    return Ordered(act, _hours(long) if long and act == "mute" else None)


def _hours(found: re.Match[str]) -> float:
    return min(max(int(found[1]), 1) * _IN_HOURS[found[2].lower()], MAX_HOURS)
