"""Ways of talking to models. Each is imported at its first use: SDKs load slowly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

from agentapp.llm.adapters.protocol import Adapter, Target, Watch

_MODULES = {
    "anthropic": ("agentapp.llm.adapters.anthropic", "AnthropicAdapter"),
    "openai": ("agentapp.llm.adapters.openai", "OpenAIAdapter"),
    "rehearsal": ("agentapp.llm.adapters.rehearsal", "RehearsalAdapter"),
}

MAKE_VECTORS = frozenset({"openai"})


class Embedder(Protocol):
    """Asks a server for vectors."""

    def __call__(
        self, target: Target, watch: Watch, *, model: str, dimensions: int, texts: Sequence[str]
    ) -> tuple[list[list[float]], int | None]:
        """Return one vector per text, in their order, and the tokens the server counted."""
        ...


def adapter_for(kind: str) -> Adapter:
    """Return the adapter for a kind of provider."""
    module, name = _MODULES[kind]
    adapter: Adapter = getattr(import_module(module), name)()
    return adapter


def model_lister(kind: str) -> Callable[[Target, Watch], list[str]]:
    """Return the function that asks a server of this kind which models it has."""
    module, name = _MODULES[kind]
    adapter = getattr(import_module(module), name)()
    lister: Callable[[Target, Watch], list[str]] = adapter.list_models
    return lister


def embedder(kind: str) -> Embedder:
    """Return the function that asks a server of this kind for vectors.

    Raises:
        LookupError: Servers of this kind make none.
    """
    if kind not in MAKE_VECTORS:
        raise LookupError(kind)
    module, name = _MODULES[kind]
    found: Embedder = getattr(import_module(module), name)().embed
    return found
