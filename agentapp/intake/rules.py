"""Who a text names."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_NAMES = 50  # mentions taken from one text; more is noise

# What may stand before a name with which a text begins.
_GREETING = re.compile(
    r"\s*(?:(?:hey|hi|hello|ok|okay|yo|dear|good\s+(?:morning|evening)|hallo|moin)\b[\s,]*)?",
    re.IGNORECASE,
)
_CALLS = re.compile(r"\s*(?:[,:!?;.\u2026\u2013\u2014-]|$)")


def mentioned(text: str, *, names: Iterable[str]) -> list[str]:
    """Return the names that a text mentions as `@name`, the longest match first in each place.

    Case does not matter; `@Ana` is not a mention of An.
    """
    listed = sorted({name for name in names if name}, key=lambda name: (-len(name), name))
    if not listed or "@" not in text:
        return []
    either = "|".join(map(re.escape, listed))
    pattern = re.compile(rf"(?<![\w@])@({either})(?!\w)", re.IGNORECASE)
    by_fold = {name.casefold(): name for name in listed}
    found = dict.fromkeys(
        by_fold[match.group(1).casefold()]
        for match in pattern.finditer(text)
        if match.group(1).casefold() in by_fold
    )
    return list(found)[:MAX_NAMES]


def begins_with_name(text: str, *, name: str) -> bool:
    """Say whether a text opens with a name, as in "Mira, what is new?" or "hey Mira"."""
    return _after_name(text, name) is not None


def calls_by_name(text: str, *, name: str) -> bool:
    """Say whether a text opens by calling a name: "Will, are you there?", not "Will it rain?"."""
    rest = _after_name(text, name)
    if rest is None:
        return False
    greeting = _GREETING.match(text)
    is_greeted = greeting is not None and bool(greeting.group().strip())
    return is_greeted or text.lstrip().startswith("@") or _CALLS.match(rest) is not None


def _after_name(text: str, name: str) -> str | None:
    """Return what follows a name with which the text opens, or None."""
    greeting = _GREETING.match(text)
    opening = text[greeting.end() :] if greeting else text
    opening = opening.removeprefix("@")[: len(name) + 8]
    if not name or opening[: len(name)].casefold() != name.casefold():
        return None
    rest = opening[len(name) :]
    return None if re.match(r"\w", rest) else rest
