"""Reads whose SQL is worked out once per process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError

from agentapp.foundation.prepared.arguments import Argument
from agentapp.foundation.prepared.building import Build, builder_for
from agentapp.foundation.prepared.many import Asked
from agentapp.foundation.prepared.texts import Text, planned, text_of

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Made:
    """A compiled query; `one` is its text for the arguments of one call.

    Attributes:
        build: Makes the objects of rows; None where Django has to.
    """

    queryset: QuerySet[Any, Any]
    compiler: Any
    text: Text
    one: str
    converters: Any
    build: Build | None
    many: dict[tuple[str, ...], str] = field(default_factory=dict)  # texts by types of arguments


# A subquery that sorts or limits is run as it stands, row of `asked` by row.
_FOR_MANY = "SELECT asked.n, found.* FROM {table} CROSS JOIN LATERAL ({one}) AS found"


class Prepared(Generic[P, T]):
    """A function that builds a queryset, compiled when it is first called.

    Args:
        build: Gets a stand-in for every argument and must treat all of them as plain values of a
            query: no branches on them, lists only in `__any`. None matches nothing.
        shape: Names of arguments that it gets as they are, because they decide the text itself
            (how many rows): every value of theirs is compiled and kept, so few should exist.
    """

    def __init__(self, build: Callable[P, QuerySet[Any, T]], shape: Sequence[str]) -> None:
        self._build = build
        self._shape = shape
        self._made: dict[tuple[object, ...], _Made] = {}
        update_wrapper(self, build)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Run the query and return its rows; arguments by name only."""
        made = self._made.get(tuple(kwargs[name] for name in self._shape)) or self._make(kwargs)
        if made.queryset.query.select_for_update and connection.get_autocommit():
            raise TransactionManagementError("Rows can only be locked in a transaction.")
        with planned(reads_moments=True) as cursor:
            given: list[Any] = [kwargs[name] for name in made.text.names]
            cursor.execute(made.one, given)
            rows = cursor.fetchall()
        return _built(made, rows)

    def many(self, calls: Sequence[Mapping[str, object]]) -> list[list[T]]:
        """Run the query for the arguments of many calls in one statement.

        Rows that are locked are locked call by call, so give calls in the order of locking.

        Args:
            calls: Arguments by name, the same names and kinds in each; lists of numbers only, and
                the same `shape` in all.

        Returns:
            The rows of each call, in the order of the calls.
        """
        if not calls:
            return []
        made = self._made.get(tuple(calls[0][name] for name in self._shape)) or self._make(calls[0])
        if made.queryset.query.select_for_update and connection.get_autocommit():
            raise TransactionManagementError("Rows can only be locked in a transaction.")
        asked = Asked([{k: v for k, v in c.items() if k not in self._shape} for c in calls])
        sql = made.many.get(asked.types)
        if sql is None:
            one = made.text.with_places(asked.column)
            sql = made.many[asked.types] = _FOR_MANY.format(table=asked.table(), one=one)
        with planned(reads_moments=True) as cursor:
            cursor.execute(sql, asked.params())
            rows = cursor.fetchall()
        found: list[T] = _built(made, [row[1:] for row in rows])
        results: list[list[T]] = [[] for _ in calls]
        for row, each in zip(rows, found, strict=True):
            results[row[0] - 1].append(each)
        return results

    def first_of_each(self, calls: Sequence[Mapping[str, object]]) -> list[T | None]:
        """Run the query as `many` does and return the first row of each call, if any."""
        return [rows[0] if rows else None for rows in self.many(calls)]

    def first(self, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Run the query and return its first row, if any."""
        rows = self(*args, **kwargs)
        return rows[0] if rows else None

    def get(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the query and return its first row.

        Raises:
            ObjectDoesNotExist: There is none.
        """
        rows = self(*args, **kwargs)
        if not rows:
            raise ObjectDoesNotExist
        return rows[0]

    def _make(self, arguments: Mapping[str, object]) -> _Made:
        """Compile; two threads may do it at once, with the same result."""
        build: Callable[..., QuerySet[Any, T]] = self._build
        queryset = build(
            **{
                name: value if name in self._shape else Argument(name)
                for name, value in arguments.items()
            }
        )
        compiler = queryset.query.get_compiler(connection=connection, elide_empty=False)
        text = text_of(*compiler.as_sql())
        columns = [column[0] for column in compiler.select[: compiler.col_count]]
        converters = compiler.get_converters(columns)
        build_rows = builder_for(queryset, compiler, converters)
        made = _Made(queryset, compiler, text, text.for_one(), converters, build_rows)
        self._made[tuple(arguments[name] for name in self._shape)] = made
        return made


def _built(made: _Made, rows: Sequence[tuple[object, ...]]) -> list[Any]:
    """Build a query's objects from rows that were fetched already."""
    if made.build is not None:
        return made.build(rows)
    # Django's own way, with what it would have fetched.
    width = made.compiler.col_count
    ready = copy.copy(made.compiler)
    ready.connection = connection
    ready.get_converters = lambda _expressions: made.converters
    # Where rows are locked, a subquery may give columns that only it needs.
    ready.execute_sql = lambda *_args, **_kwargs: [[row[:width] for row in rows]]
    run = made.queryset.all()
    run.query.get_compiler = lambda *_args, **_kwargs: ready  # type: ignore[method-assign]  # this copy only
    return list(run)


def prepared(build: Callable[P, QuerySet[Any, T]]) -> Prepared[P, T]:
    """Turn a function that returns a queryset into one that returns its rows; see `Prepared`."""
    return Prepared(build, ())


def prepared_by(*shape: str) -> Callable[[Callable[P, QuerySet[Any, T]]], Prepared[P, T]]:
    """As `prepared`, with arguments that decide the query's text; see `Prepared`."""
    return lambda build: Prepared(build, shape)
