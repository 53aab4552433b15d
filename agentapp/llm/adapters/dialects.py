"""What servers were found not to understand, for the life of the process."""

from __future__ import annotations

import threading

from agentapp.llm.adapters.protocol import Request

_unknown: dict[tuple[str, str], frozenset[str]] = {}
_lock = threading.Lock()


def unknown_to(request: Request) -> frozenset[str]:
    """Return the parameters that this server refused for this model."""
    return _unknown.get((request.target.base_url, request.model), frozenset())


def note_unknown(request: Request, parameter: str) -> None:
    """Remember that this server refuses a parameter for this model."""
    place = (request.target.base_url, request.model)
    with _lock:
        _unknown[place] = _unknown.get(place, frozenset()) | {parameter}
