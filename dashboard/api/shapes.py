"""What requests and answers look like: JSON in camelCase, nothing unknown accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from ninja import Path, Router, Schema
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel
from typing_extensions import override

F = TypeVar("F", bound=Callable[..., Any])

AgentId = Annotated[int, Path(alias="agentId")]
DraftId = Annotated[int, Path(alias="draftId")]
RoomId = Annotated[int, Path(alias="roomId")]
TurnId = Annotated[int, Path(alias="turnId")]


class Shape(Schema):
    """A part of an answer, or the query of a request."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Given(Shape):
    """A request's body; a field that nobody knows is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid")


class Problem(Shape):
    """An error (RFC 9457). `code` is stable for programs."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class Resource(Router):
    """The operations on one kind of thing; answers use the names of the JSON."""

    @override
    def api_operation(self, methods: list[str], path: str, **options: Any) -> Callable[[F], F]:
        options["by_alias"] = True
        return super().api_operation(methods, path, **options)
