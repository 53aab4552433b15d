"""One statement for the arguments of many calls, made from the text for one.

The arguments become the rows of a table, `asked`, and every place of an argument a column of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from psycopg.types.json import Jsonb

from agentapp.foundation.prepared.arrays import array, array_of, read_as

# In this order: True is an int, and a moment is a date.
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "double precision"),
    (Decimal, "numeric"),
    (str, "text"),
    (datetime, "timestamptz"),
    (date, "date"),
    (uuid.UUID, "uuid"),
    (Jsonb, "jsonb"),
)

Calls = Sequence[Mapping[str, object]]


class Asked:
    """The arguments of many calls as a table with a row for each.

    Args:
        calls: Arguments by name, the same names in each.
        types: SQL types of those whose values do not tell; None counts as a number elsewhere.
    """

    def __init__(self, calls: Calls, types: Mapping[str, str] | None = None) -> None:
        self.names = list(calls[0])
        self._calls = calls
        known = types or {}
        self.types = tuple(known.get(name) or self._type_of(name) for name in self.names)

    def table(self) -> str:
        """Return the table as a part of a FROM clause; `n` counts its rows from 1."""
        arrays = ", ".join(map(array_of, self.types))
        columns = ", ".join(f"a{place}" for place in range(len(self.names)))
        return f"unnest({arrays}) WITH ORDINALITY AS asked({columns}, n)"

    def column(self, name: str) -> str:
        """Return the column that holds an argument."""
        place = self.names.index(name)
        return read_as(f"asked.a{place}", self.types[place])

    def params(self) -> list[str]:
        """Return the table's columns as parameters."""
        return [
            array([call[name] for call in self._calls], kind)
            for name, kind in zip(self.names, self.types, strict=True)
        ]

    def _type_of(self, name: str) -> str:
        value = next((call[name] for call in self._calls if call[name] is not None), None)
        if isinstance(value, list):
            return f"{_scalar(next(iter(value), None))}[]"
        return _scalar(value)


def _scalar(value: object) -> str:
    if value is None:
        return "bigint"
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    raise TypeError(f"A {type(value).__name__} cannot stand in a statement for many calls.")
