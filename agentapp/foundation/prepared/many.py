"""One statement for the arguments of many calls, made from the text for one.

The arguments become the rows of a table, `asked`, and every place of an argument a column of it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Field
from psycopg.types.json import Jsonb

from agentapp.foundation.prepared.arguments import Given

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
# Postgres takes lists of these as they are; all others go as text.
_PLAIN = {"boolean", "bigint", "double precision", "numeric", "text", "timestamptz", "date", "uuid"}

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

    def params(self) -> list[Any]:
        """Return the table's columns as parameters."""
        return [
            [sendable(call[name], kind) for call in self._calls]
            for name, kind in zip(self.names, self.types, strict=True)
        ]

    def _type_of(self, name: str) -> str:
        value = next((call[name] for call in self._calls if call[name] is not None), None)
        if isinstance(value, list):
            return f"{_scalar(next(iter(value), None))}[]"
        return _scalar(value)


def placed(sql: str, slots: Sequence[object], place: Callable[[str], str]) -> str:
    """Put `place(name)` where an argument stands in a text; other parameters stay parameters."""
    first, *rest = sql.split("%s")
    filled = [place(slot.value) if isinstance(slot, Given) else "%s" for slot in slots]
    return first + "".join(a + b for a, b in zip(filled, rest, strict=True))


def fixed(slots: Sequence[object]) -> list[Any]:
    """Return the parameters that are the same for every call."""
    return [slot for slot in slots if not isinstance(slot, Given)]


def _scalar(value: object) -> str:
    if value is None:
        return "bigint"
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    raise TypeError(f"A {type(value).__name__} cannot stand in a statement for many calls.")


def kind_of(field: Field[Any, Any]) -> str:
    """Return the type as which a column's values are sent; too long a text stays an error."""
    kind = field.db_type(connection) or ""
    if kind.startswith(("varchar", "text")):
        return "text"
    if kind in {"integer", "smallint"}:
        return "bigint"
    return "timestamptz" if kind == "timestamp with time zone" else kind


def array_of(kind: str) -> str:
    """Return the place of a list of values of a type."""
    return f"%s::{kind if kind in _PLAIN else 'text'}[]"


def read_as(column: str, kind: str) -> str:
    """Return a column of sent values with its own type."""
    return column if kind in _PLAIN else f"{column}::{kind}"


def sendable(value: object, kind: str) -> object:
    """Return a value as it goes into such a list."""
    if value is None or kind in _PLAIN:
        return value
    if isinstance(value, Jsonb):
        return json.dumps(value.obj)
    if isinstance(value, list):
        # Arrays of arrays cannot differ in length; these are numbers, so nothing needs quoting.
        return "{" + ",".join(str(int(each)) for each in value) + "}"
    return str(value)
