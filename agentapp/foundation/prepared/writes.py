"""Writes whose SQL is worked out once per process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import UpdateQuery

from agentapp.foundation.prepared.arguments import Argument, Given

P = ParamSpec("P")
M = TypeVar("M", bound=Model)

Change = tuple[QuerySet[Any, Any], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class _Statement:
    """A text and its parameters in order, `Given` where one is to come."""

    sql: str
    slots: tuple[object, ...]


class PreparedUpdate(Generic[P]):
    """A function that says which rows to change and how, compiled when it is first called.

    Args:
        build: Returns a queryset and the new values by field. It gets a stand-in for every
            argument and must treat all of them as plain values, as with `Prepared`.
    """

    def __init__(self, build: Callable[P, Change]) -> None:
        self._build: Callable[..., Change] = build
        self._made: _Statement | None = None
        update_wrapper(self, build)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Change the rows and return how many; arguments by name only, fit for the driver."""
        made = self._made or self._make(kwargs)
        params: list[Any] = [
            kwargs[slot.value] if isinstance(slot, Given) else slot for slot in made.slots
        ]
        with connection.cursor() as cursor:
            cursor.execute(made.sql, params)
            return int(cursor.rowcount)

    def _make(self, arguments: Mapping[str, object]) -> _Statement:
        queryset, values = self._build(**{name: Argument(name) for name in arguments})
        query: Any = queryset.query.chain(UpdateQuery)
        query.add_update_values(dict(values))
        sql, slots = query.get_compiler(connection=connection, elide_empty=False).as_sql()
        self._made = _Statement(sql, tuple(slots))
        return self._made


def prepared_update(build: Callable[P, Change]) -> PreparedUpdate[P]:
    """Turn a function that describes an update into one that makes it; see `PreparedUpdate`."""
    return PreparedUpdate(build)


def insert(row: M) -> M:
    """Write a new row and return it with what the database filled in.

    As `row.save(force_insert=True)`, without signals: nothing here listens to them. A value may
    be a function of SQL without arguments, such as `GreenroomNow()`.
    """
    columns, kinds, params = [], [], []
    for field in row._meta.local_concrete_fields:
        value = getattr(row, field.attname)
        if isinstance(value, DatabaseDefault) or (field.primary_key and value is None):
            continue
        columns.append(field)
        is_sql = hasattr(value, "resolve_expression")
        kinds.append((field.attname, _checked(value).__class__ if is_sql else None))
        if not is_sql:
            params.append(field.get_db_prep_save(value, connection))
    key = (row.__class__, *kinds)
    sql = _inserts.get(key)
    if sql is None:
        sql = _inserts[key] = _insert_sql(row, columns)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        returned = zip(row._meta.db_returning_fields, cursor.fetchone() or (), strict=True)
    for field, value in returned:
        setattr(row, field.attname, value)
    row._state.adding = False
    row._state.db = DEFAULT_DB_ALIAS
    return row


_inserts: dict[tuple[object, ...], str] = {}


def _checked(value: object) -> object:
    if getattr(value, "source_expressions", True):
        raise TypeError("Only a function of SQL without arguments can stand in an insert.")
    return value


def _insert_sql(row: Model, columns: Sequence[Any]) -> str:
    quote = connection.ops.quote_name
    compiler: Any = row.__class__._base_manager.all().query.get_compiler(connection=connection)
    places = [
        compiler.compile(value)[0]
        if hasattr(value := getattr(row, field.attname), "resolve_expression")
        else "%s"
        for field in columns
    ]
    names = ", ".join(quote(field.column) for field in columns)
    returned = ", ".join(quote(str(field.column)) for field in row._meta.db_returning_fields)
    into = f"INSERT INTO {quote(row._meta.db_table)} ({names})"
    return f"{into} VALUES ({', '.join(places)}) RETURNING {returned}"
