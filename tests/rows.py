"""What tests begin with is made by the product's services once, and then put back as rows.

Making the cast takes a tenth of a second, and more than two thousand tests begin with it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Generic, TypeVar

from django.db import connection, transaction

from tests.emptying import KEPT

T = TypeVar("T")
# Of the transaction that writes a row, so it is written anew each time.
OWN_COLUMNS = {("agentapp_event", "xid")}
_COLUMNS = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> ALL (%s)
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY c.relname
"""
# Foreign keys that are looked at with each row; the others wait for the end of the transaction.
_REFERS = """
SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text
FROM pg_constraint WHERE contype = 'f' AND NOT condeferred AND conrelid <> confrelid
"""


@dataclass(frozen=True)
class Made(Generic[T]):
    """What was made, and for each table how its rows are put back."""

    it: T
    rows: tuple[tuple[str, bytes], ...]


_MADE: dict[Callable[[], Any], Made[Any]] = {}


def put_back(make: Callable[[], T]) -> T:
    """Return what `make` makes in an empty database; in one that is not empty, let it make it."""
    made = _MADE.get(make)
    if made is None:
        columns = _columns()
        if _read(columns):
            return make()
        it = make()
        _MADE[make] = Made(copy.deepcopy(it), _read(columns))
        return it
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, rows in made.rows:
            with cursor.copy(statement) as into:
                into.write(rows)
    return copy.deepcopy(made.it)


def _columns() -> dict[str, str]:
    """Return the columns of each table, tables that others refer to first."""
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [list(KEPT)])
        names: dict[str, list[str]] = dict(cursor.fetchall())
        order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(names, ()))
        cursor.execute(_REFERS)
        for table, other in cursor.fetchall():
            order.add(table, other)
    return {
        table: ", ".join(f'"{each}"' for each in names[table] if (table, each) not in OWN_COLUMNS)
        for table in order.static_order()
        if table in names
    }


def _read(columns: dict[str, str]) -> tuple[tuple[str, bytes], ...]:
    found = []
    with connection.cursor() as cursor:
        for table, names in columns.items():
            with cursor.copy(f"COPY {table} ({names}) TO STDOUT") as out:
                if rows := b"".join(bytes(part) for part in out):
                    found.append((f"COPY {table} ({names}) FROM STDIN", rows))
    return tuple(found)
