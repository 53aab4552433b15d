"""Reads whose SQL is worked out once per process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError

from agentapp.foundation.prepared.arguments import Argument, Given

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Made:
    """A compiled query; `slots` are its parameters in order, `Given` where one is to come."""

    queryset: QuerySet[Any, Any]
    compiler: Any
    sql: str
    slots: tuple[object, ...]
    converters: Any


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
        params = [kwargs[slot.value] if isinstance(slot, Given) else slot for slot in made.slots]
        ready = copy.copy(made.compiler)
        ready.connection = connection
        ready.as_sql = lambda *_args, **_kwargs: (made.sql, params)
        ready.get_converters = lambda _expressions: made.converters
        run = made.queryset.all()
        # The queryset builds rows as ever; only its compiler is the one that has its SQL already.
        run.query.get_compiler = lambda *_args, **_kwargs: ready  # type: ignore[method-assign]
        return list(run)

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
        sql, slots = compiler.as_sql()
        columns = [column[0] for column in compiler.select[: compiler.col_count]]
        made = _Made(queryset, compiler, sql, tuple(slots), compiler.get_converters(columns))
        self._made[tuple(arguments[name] for name in self._shape)] = made
        return made


def prepared(build: Callable[P, QuerySet[Any, T]]) -> Prepared[P, T]:
    """Turn a function that returns a queryset into one that returns its rows; see `Prepared`."""
    return Prepared(build, ())


def prepared_by(*shape: str) -> Callable[[Callable[P, QuerySet[Any, T]]], Prepared[P, T]]:
    """As `prepared`, with arguments that decide the query's text; see `Prepared`."""
    return lambda build: Prepared(build, shape)
