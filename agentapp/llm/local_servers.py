"""Finds out what runs on one's own machines: Ollama, vLLM, or something it does not know."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module

from agentapp.foundation.database import refuse_open_transaction, released_connection
from agentapp.llm.adapters.protocol import Watch
from agentapp.llm.rules.addresses import is_local_url

LOOK_SECONDS = 1.0
USUAL_ADDRESSES = ("http://localhost:11434/v1", "http://localhost:8000/v1")


@dataclass(frozen=True, slots=True)
class Found:
    """A program that answers models' questions on this machine. Nothing uses it by itself."""

    program: str
    base_url: str


def program_at(base_url: str) -> str:
    """Return "Ollama" or "vLLM" when that answers at one's own address; "" otherwise.

    Calls: two small requests without any key, one second at most; none to other machines.

    Raises:
        OpenTransaction: Called inside a transaction.
    """
    if not is_local_url(base_url):
        return ""
    refuse_open_transaction()
    with released_connection():
        return _ask(base_url)


def found_here(addresses: tuple[str, ...] = USUAL_ADDRESSES) -> list[Found]:
    """Look at the usual ports of this machine, all at once; see `program_at`."""
    refuse_open_transaction()
    with released_connection(), ThreadPoolExecutor(max_workers=len(addresses)) as pool:
        programs = list(pool.map(_ask, addresses))
    return [
        Found(program, address)
        for program, address in zip(programs, addresses, strict=True)
        if program
    ]


def _ask(base_url: str) -> str:
    # Imported late: the HTTP client loads slowly and most processes never look.
    signs = import_module("agentapp.llm.adapters.signs")
    return str(signs.program_at(base_url, Watch.lasting(LOOK_SECONDS)))
