"""Makes objects of rows that were fetched: those that Django would make, in a quarter of the time.

Django's constructor tells two signals of every object, whether anybody listens or not, and sets
each attribute by itself. Where a model does something of its own there, Django makes the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.query import ModelIterable, get_related_populators
from django.db.models.signals import post_init, pre_init

Row: TypeAlias = Sequence[object]
Compiler: TypeAlias = Any  # Django's own, of which its stubs know little
Converters: TypeAlias = Any
Populator: TypeAlias = Any
Build: TypeAlias = Callable[[Sequence[Row]], list[Any]]


def builder_for(
    queryset: QuerySet[Any, Any], compiler: Compiler, converters: Converters
) -> Build | None:
    """Return what makes a compiled query's objects, or None where only Django can."""
    is_plain = (
        queryset._iterable_class is ModelIterable
        and not queryset._known_related_objects  # type: ignore[attr-defined]  # not in the stubs
        and not queryset._prefetch_related_lookups  # type: ignore[attr-defined]  # not in the stubs
    )
    if not is_plain:
        return None
    made = _Objects(compiler)
    if not all(map(_is_ordinary, made.models())):
        return None

    def build(rows: Sequence[Row]) -> list[Any]:
        if converters:
            connection = connections[DEFAULT_DB_ALIAS]
            rows = [_converted(row, converters, connection) for row in rows]
        return [made.made_of(row) for row in rows]

    return build


def _is_ordinary(model: type[Model]) -> bool:
    """Say whether nothing of a model's own happens when one of its objects is made.

    Asked when a query is compiled: who listens to a model's signals does so from the start.
    """
    return (
        model.__init__ is Model.__init__
        and getattr(model.from_db, "__func__", None) is getattr(Model.from_db, "__func__", None)
        and not pre_init.has_listeners(model)
        and not post_init.has_listeners(model)
    )


def _converted(row: Row, converters: Converters, connection: object) -> Row:
    changed = list(row)
    for place, (functions, expression) in converters.items():
        for function in functions:
            changed[place] = function(changed[place], expression, connection)
    return changed


class _Objects:
    """The objects of one row: the one that was asked for and those selected with it."""

    def __init__(self, compiler: Compiler) -> None:
        found = compiler.klass_info
        places = found["select_fields"]
        self._model: type[Model] = found["model"]
        self._start, self._end = places[0], places[-1] + 1
        fields = compiler.select[self._start : self._end]
        self._names = [field[0].target.attname for field in fields]
        self._beside = [
            _Beside(each)
            for each in get_related_populators(  # type: ignore[call-arg]  # stubs of a later Django
                found, compiler.select, DEFAULT_DB_ALIAS
            )
        ]
        self._annotated = list((compiler.annotation_col_map or {}).items())

    def models(self) -> Iterable[type[Model]]:
        yield self._model
        for each in self._beside:
            yield from each.models()

    def made_of(self, row: Row) -> Model:
        one = _object(self._model, self._names, row[self._start : self._end])
        for each in self._beside:
            each.join(row, one)
        for name, place in self._annotated:
            setattr(one, name, row[place])
        return one


class _Beside:
    """An object that is selected with another one, as Django has planned it."""

    def __init__(self, planned: Populator) -> None:
        self._planned = planned
        self._below = [_Beside(each) for each in planned.related_populators]

    def models(self) -> Iterable[type[Model]]:
        yield self._planned.model_cls
        for each in self._below:
            yield from each.models()

    def join(self, row: Row, owner: Model) -> None:
        planned = self._planned
        reorder = planned.reorder_for_init
        values = reorder(row) if reorder else row[planned.cols_start : planned.cols_end]
        one = None
        if values[planned.pk_idx] is not None:
            one = _object(planned.model_cls, planned.init_list, values)
            for each in self._below:
                each.join(row, one)
        planned.local_setter(owner, one)
        if one is not None:
            planned.remote_setter(one, owner)


def _object(model: type[Model], names: Sequence[str], values: Row) -> Model:
    """Make an object as it stands in the database; what was not selected is read when asked for."""
    one = model.__new__(model)
    state = one._state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    one.__dict__.update(zip(names, values, strict=True))
    return one
