"""Writes whose SQL is worked out once per process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from django.db.models.sql import UpdateQuery

from agentapp.foundation.prepared.arguments import Argument
from agentapp.foundation.prepared.arrays import array, array_of, kind_of, read_as
from agentapp.foundation.prepared.many import Asked
from agentapp.foundation.prepared.texts import Text, planned, text_of

P = ParamSpec("P")
M = TypeVar("M", bound=Model)

_WHERE = " WHERE "
Change = tuple[QuerySet[Any, Any], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class _Statement:
    """A text with its places; `one` is it for the arguments of one call."""

    text: Text
    one: str
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
        with planned() as cursor:
            given: list[Any] = [kwargs[name] for name in made.text.names]
            cursor.execute(made.one, given)
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
            change, where, condition = made.text.with_places(asked.column).partition(_WHERE)
            sql = f"{change} FROM {asked.table()}{where}{condition} RETURNING asked.n"
            made.many[asked.types] = sql
        with planned() as cursor:
            cursor.execute(sql, asked.params())
            changed = {n for (n,) in cursor.fetchall()}
        return [place in changed for place in range(1, len(calls) + 1)]

    def _make(self, arguments: Mapping[str, object]) -> _Statement:
        queryset, values = self._build(**{name: Argument(name) for name in arguments})
        query: Any = queryset.query.chain(UpdateQuery)
        query.add_update_values(dict(values))
        compiler = query.get_compiler(connection=connection, elide_empty=False)
        text = text_of(*compiler.as_sql())
        fields = {value.name: name for name, value in values.items() if isinstance(value, Argument)}
        column = queryset.model._meta.get_field
        types = {argument: kind_of(column(name)) for argument, name in fields.items()}
        self._made = _Statement(text, text.for_one(), types)
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
    made = _inserts.get(key)
    if made is None:
        made = _inserts[key] = _insert(model, columns, functions)
    database = connections[DEFAULT_DB_ALIAS]
    with planned() as cursor:
        cursor.execute(made.sql, [column.sent(rows, database) for column in made.given])
        returned = cursor.fetchall()
    for row, values in zip(rows, returned, strict=True):
        for attribute, value in zip(made.returned, values, strict=True):
            setattr(row, attribute, value)
        row._state.adding = False
        row._state.db = DEFAULT_DB_ALIAS
    return list(rows)


_PLAIN: dict[str, frozenset[type]] = {
    "bigint": frozenset({int, type(None)}),
    "boolean": frozenset({bool, type(None)}),
    "text": frozenset({str, type(None)}),
}


@dataclass(frozen=True, slots=True)
class _Column:
    """A column whose values are given, and the type as which they are sent."""

    field: Field[Any, Any]
    kind: str

    def sent(self, rows: Sequence[Model], database: BaseDatabaseWrapper) -> str:
        name = self.field.attname
        values = [getattr(row, name) for row in rows]
        if not {value.__class__ for value in values} <= self.plain:
            values = [self.field.get_db_prep_save(value, database) for value in values]
        return array(values, self.kind)

    @property
    def plain(self) -> frozenset[type]:
        """The classes of values that Django's field would return as they are."""
        return _PLAIN.get(self.kind, frozenset())


@dataclass(frozen=True, slots=True)
class _Insert:
    """A text, the columns that it takes, and the attributes that it fills in."""

    sql: str
    given: tuple[_Column, ...]
    returned: tuple[str, ...]


_inserts: dict[tuple[object, ...], _Insert] = {}


def _is_given(row: Model, column: Field[Any, Any]) -> bool:
    value = getattr(row, column.attname)
    return not (isinstance(value, DatabaseDefault) or (column.primary_key and value is None))


def _checked(value: object) -> object:
    if getattr(value, "source_expressions", True):
        raise TypeError("Only a function of SQL without arguments can stand in an insert.")
    return value


def _insert(
    model: type[Model], columns: Sequence[Field[Any, Any]], functions: Mapping[str, object]
) -> _Insert:
    quote = connection.ops.quote_name
    compiler: Any = model._base_manager.all().query.get_compiler(connection=connection)
    given = {
        column.attname: _Column(column, kind_of(column))
        for column in columns
        if column.attname not in functions
    }
    places = [
        read_as(f"given.{quote(str(column.column))}", given[column.attname].kind)
        if column.attname in given
        else compiler.compile(functions[column.attname])[0]
        for column in columns
    ]
    names = ", ".join(quote(str(column.column)) for column in columns)
    arrays = ", ".join(array_of(column.kind) for column in given.values())
    given_names = ", ".join(quote(str(column.field.column)) for column in given.values())
    filled_in = model._meta.db_returning_fields
    returned = ", ".join(quote(str(column.column)) for column in filled_in)
    # Rows are written and returned in the order of "#", a name that no column has. All that is put
    # together here are names of the model's own columns; values are arguments.
    text = (
        f"INSERT INTO {quote(model._meta.db_table)} ({names}) SELECT {', '.join(places)}"  # noqa: S608  (columns of a model)
        f' FROM unnest({arrays}) WITH ORDINALITY AS given({given_names}, "#")'
        f' ORDER BY "#" RETURNING {returned}'
    )
    return _Insert(text, tuple(given.values()), tuple(column.attname for column in filled_in))
