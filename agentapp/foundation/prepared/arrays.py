"""Lists of values as the server reads them.

The driver looks at every value of a list to find out what it is; here the column says it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Field
from psycopg.types.json import Jsonb


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
    return f"%s::{kind if kind in _WRITTEN else 'text'}[]"


def read_as(column: str, kind: str) -> str:
    """Return a column of sent values with its own type."""
    return column if kind in _WRITTEN else f"{column}::{kind}"


def array(values: Iterable[Any], kind: str) -> str:
    """Return a list of values of a type as the text of an array."""
    write = _WRITTEN.get(kind, _as_text)
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"


def list_sent(values: list[Any]) -> object:
    """Return a list as `array` writes it, where its first value tells what all of them are.

    Where it does not, the list is returned as it is, for the driver.
    """
    first = next((value for value in values if value is not None), None)
    if first is None:
        return "{" + ",".join(["NULL"] * len(values)) + "}"
    kind = _KINDS.get(type(first))
    return values if kind is None else array(values, kind)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _moment(value: date) -> str:
    return f'"{value.isoformat()}"'


def _as_text(value: object) -> str:
    """Write a value that goes as text and is read as its type by the server."""
    if isinstance(value, Jsonb):
        return _quoted(json.dumps(value.obj))
    if isinstance(value, list):
        # Arrays of arrays cannot differ in length; these are numbers, so nothing needs quoting.
        return _quoted("{" + ",".join(str(int(each)) for each in value) + "}")
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("Lists of bytes are not written here.")  # str() would write their name
    return _quoted(str(value))


# The server takes lists of these as they are; all others go as text.
_WRITTEN: dict[str, Callable[[Any], str]] = {
    "boolean": lambda value: "t" if value else "f",
    "bigint": lambda value: str(int(value)),
    "double precision": lambda value: repr(float(value)),
    "numeric": str,
    "text": _quoted,
    "timestamptz": _moment,
    "date": _moment,
    "uuid": str,
}

_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "bigint",
    float: "double precision",
    str: "text",
    datetime: "timestamptz",
    date: "date",
    uuid.UUID: "uuid",
}
