"""Writes whose SQL is worked out once per process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import UpdateQuery

from agentapp.foundation.prepared.arguments import Argument, Given
from agentapp.foundation.prepared.many import (
    Asked,
    array_of,
    fixed,
    kind_of,
    placed,
    read_as,
    sendable,
)

P = ParamSpec("P")
M = TypeVar("M", bound=Model)

_WHERE = " WHERE "
Change = tuple[QuerySet[Any, Any], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class _Statement:
    """A text and its parameters in order, `Given` where one is to come."""

    sql: str
    slots: tuple[object, ...]
    written: int  # how many of the slots stand before the condition
    types: Mapping[str, str]  # of the columns that arguments are written to
    many: dict[tuple[str, ...], str] = field(default_factory=dict)  # texts by types of arguments


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

    def many(self, calls: Sequence[Mapping[str, object]]) -> list[bool]:
        """Make the changes of many calls in one statement; say for each whether rows changed.

        No two calls may change the same row: only one of them would.

        Args:
            calls: Arguments by name, the same names and kinds in each.
        """
        if not calls:
            return []
        made = self._made or self._make(calls[0])
        asked = Asked(calls, made.types)
        sql = made.many.get(asked.types)
        if sql is None:
            change, where, condition = placed(made.sql, made.slots, asked.column).partition(_WHERE)
            sql = f"{change} FROM {asked.table()}{where}{condition} RETURNING asked.n"
            made.many[asked.types] = sql
        # The table of arguments stands between what is written and the condition.
        before = sum(not isinstance(slot, Given) for slot in made.slots[: made.written])
        constants = fixed(made.slots)
        with connection.cursor() as cursor:
            cursor.execute(sql, [*constants[:before], *asked.params(), *constants[before:]])
            changed = {n for (n,) in cursor.fetchall()}
        return [place in changed for place in range(1, len(calls) + 1)]

    def _make(self, arguments: Mapping[str, object]) -> _Statement:
        queryset, values = self._build(**{name: Argument(name) for name in arguments})
        query: Any = queryset.query.chain(UpdateQuery)
        query.add_update_values(dict(values))
        sql, slots = query.get_compiler(connection=connection, elide_empty=False).as_sql()
        fields = {value.name: name for name, value in values.items() if isinstance(value, Argument)}
        column = queryset.model._meta.get_field
        types = {argument: kind_of(column(name)) for argument, name in fields.items()}
        self._made = _Statement(sql, tuple(slots), sql.partition(_WHERE)[0].count("%s"), types)
        return self._made


def prepared_update(build: Callable[P, Change]) -> PreparedUpdate[P]:
    """Turn a function that describes an update into one that makes it; see `PreparedUpdate`."""
    return PreparedUpdate(build)


def insert(row: M) -> M:
    """Write a new row and return it with what the database filled in; otherwise `insert_many`."""
    return insert_many([row])[0]


def insert_many(rows: Sequence[M]) -> list[M]:
    """Write new rows of one table in one statement and fill in what the database made.

    As `save(force_insert=True)`, without signals: nothing here listens to them. A value may be a
    function of SQL without arguments, such as `GreenroomNow()`, in all of the rows or in none.
    """
    if not rows:
        return []
    model = rows[0].__class__
    columns = [column for column in model._meta.local_concrete_fields if _is_given(rows[0], column)]
    functions = {
        column.attname: _checked(value)
        for column in columns
        if hasattr(value := getattr(rows[0], column.attname), "resolve_expression")
    }
    key = (
        model,
        *((column.attname, functions.get(column.attname).__class__) for column in columns),
    )
    sql = _inserts.get(key)
    if sql is None:
        sql = _inserts[key] = _insert_sql(model, columns, functions)
    params = [
        [_sent(column, getattr(row, column.attname)) for row in rows]
        for column in columns
        if column.attname not in functions
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, list(range(len(rows)))])
        returned = cursor.fetchall()
    for row, values in zip(rows, returned, strict=True):
        for made, value in zip(model._meta.db_returning_fields, values, strict=True):
            setattr(row, made.attname, value)
        row._state.adding = False
        row._state.db = DEFAULT_DB_ALIAS
    return list(rows)


_inserts: dict[tuple[object, ...], str] = {}


def _is_given(row: Model, column: Field[Any, Any]) -> bool:
    value = getattr(row, column.attname)
    return not (isinstance(value, DatabaseDefault) or (column.primary_key and value is None))


def _checked(value: object) -> object:
    if getattr(value, "source_expressions", True):
        raise TypeError("Only a function of SQL without arguments can stand in an insert.")
    return value


def _sent(column: Field[Any, Any], value: object) -> object:
    return sendable(column.get_db_prep_save(value, connection), kind_of(column))


def _insert_sql(model: type[Model], columns: Sequence[Any], functions: Mapping[str, object]) -> str:
    quote = connection.ops.quote_name
    compiler: Any = model._base_manager.all().query.get_compiler(connection=connection)
    given = [column for column in columns if column.attname not in functions]
    places = [
        compiler.compile(functions[column.attname])[0]
        if column.attname in functions
        else read_as(f"given.{quote(column.column)}", kind_of(column))
        for column in columns
    ]
    names = ", ".join(quote(column.column) for column in columns)
    arrays = ", ".join([*(array_of(kind_of(column)) for column in given), "%s::bigint[]"])
    given_names = ", ".join([*(quote(column.column) for column in given), '"#"'])
    returned = ", ".join(quote(str(column.column)) for column in model._meta.db_returning_fields)
    # Rows are written and returned in the order of "#", a name that no column has.
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({names}) SELECT {', '.join(places)}"  # noqa: S608
        f' FROM unnest({arrays}) AS given({given_names}) ORDER BY "#" RETURNING {returned}'
    )
