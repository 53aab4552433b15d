"""What stands in a query for a value that comes with each call."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db.models import Field, ForeignObject, Lookup, Value
from typing_extensions import override


class Argument:
    """What a builder gets for an argument: good for a place in a query and for nothing else."""

    def __init__(self, name: str) -> None:
        self.name = name

    def resolve_expression(self, *_args: object, **_kwargs: object) -> Given:
        """Become a part of the query; Django calls it."""
        return Given(self.name)

    def __bool__(self) -> bool:
        raise TypeError("A prepared statement has one text: its arguments cannot choose another.")

    def __iter__(self) -> NoReturn:
        raise TypeError("Compare with `__any=` where a prepared statement takes a list.")


class Given(Value):
    """An argument's place in a compiled query; `value` is its name."""

    @override
    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", (self,)


class IsAny(Lookup):
    """`field__any=[…]`: one parameter for the whole list, so the text does not change with it."""

    lookup_name = "any"

    @override
    def get_prep_lookup(self) -> Any:
        return self.rhs

    @override
    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        left, left_params = self.process_lhs(compiler, connection)
        return f"{left} = ANY(%s)", (*left_params, self.rhs)


Field.register_lookup(IsAny)
ForeignObject.register_lookup(IsAny)
