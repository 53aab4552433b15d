"""Takes values out of what a server sent, whatever shape it has."""

from __future__ import annotations

from functools import lru_cache

from agentapp.foundation.text import one_line

MAX_NAME = 120
MAX_LISTED = 2000
MAX_COUNT = 2**31 - 1  # what the column holds; more is nonsense


def field(value: object, name: str) -> object:
    """Return a member of an object; None when there is none."""
    return value.get(name) if isinstance(value, dict) else None


def text(value: object) -> str:
    """Return a text; "" for anything else."""
    return value if isinstance(value, str) else ""


def name(value: object) -> str:
    """Return a name as its column can hold it; "" for anything else."""
    return _clean(text(value)[: 2 * MAX_NAME])


@lru_cache(maxsize=256)  # every piece of a stream says it again
def _clean(name: str) -> str:
    return one_line(name, limit=MAX_NAME)


def count(value: object, name: str) -> int | None:
    """Return a member that is a sensible count of tokens; None otherwise."""
    found = field(value, name)
    return found if isinstance(found, int) and 0 <= found <= MAX_COUNT else None


def names(rows: list[object]) -> list[str]:
    """Return the ids of a server's list of models, in its order."""
    found = (field(row, "id") for row in rows[:MAX_LISTED])
    return [each for each in found if isinstance(each, str) and each and name(each) == each]
