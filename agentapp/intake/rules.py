"""Who a text names."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_NAMES = 50  # mentions taken from one text; more is noise

# What may stand before a name with which a text begins.
_GREETING = r"(?:(?:hey|hi|hello|ok|okay|yo|dear|good\s+(?:morning|evening)|hallo|moin)\b[\s,]*)?"


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
    if not name:
        return False
    pattern = rf"\s*{_GREETING}@?{re.escape(name)}(?!\w)"
    return re.match(pattern, text, re.IGNORECASE) is not None
