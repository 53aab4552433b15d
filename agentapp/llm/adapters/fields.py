"""Takes values out of what a server sent, whatever shape it has."""

from __future__ import annotations

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
    """Return a name as long as its column; "" for anything else."""
    return text(value)[:MAX_NAME]


def count(value: object, name: str) -> int | None:
    """Return a member that is a sensible count of tokens; None otherwise."""
    found = field(value, name)
    return found if isinstance(found, int) and 0 <= found <= MAX_COUNT else None


def names(rows: list[object]) -> list[str]:
    """Return the ids of a server's list of models, in its order."""
    found = (field(row, "id") for row in rows[:MAX_LISTED])
    return [each for each in found if isinstance(each, str) and 0 < len(each) <= MAX_NAME]
