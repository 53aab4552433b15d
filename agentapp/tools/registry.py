"""The tools there are. Each slice brings its own in a file `tools`, loaded when the app starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from agentapp.turns.models import Turn

A = TypeVar("A", bound=BaseModel)


class Arguments(BaseModel, extra="forbid"):
    """What a tool takes: its fields become the schema that a model is shown."""


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """A function that a model may call.

    Args:
        name: As models call it.
        description: When to use it and what it gives, for the model.
        arguments: What it takes; anything else is refused before it runs.
        run: Does it for a thought and returns what the model is told. It runs outside any
            transaction, may run twice for one request and must then change nothing more. It can
            do no more than its agent may do unasked: what goes out becomes a Draft.
    """

    name: str
    description: str
    arguments: type[A]
    run: Callable[[Turn, A], str]
    acts_as: str = ""

    @property
    def schema(self) -> Mapping[str, object]:
        """Return the JSON schema of the arguments."""
        return _schema(self.arguments)


@cache
def _schema(arguments: type[BaseModel]) -> Mapping[str, object]:
    found: dict[str, Any] = arguments.model_json_schema()
    return {key: value for key, value in found.items() if key not in {"title", "description"}}


_tools: dict[str, Tool[Any]] = {}


def register(tool: Tool[Any]) -> None:
    """Make a tool known to this process.

    Raises:
        ValueError: Another one has its name.
    """
    if _tools.setdefault(tool.name, tool) is not tool:
        raise ValueError(f"Two tools are called {tool.name!r}.")


def granted(names: Iterable[str] | None) -> list[Tool[Any]]:
    """Return the tools of these names, in the order of their names; None names all.

    Names that no tool has are passed over: a blueprint may be older than its host.
    """
    wanted = _tools if names is None else set(names)
    return [_tools[name] for name in sorted(_tools) if name in wanted]
