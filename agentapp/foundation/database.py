"""How a thread holds and gives back its database connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import close_old_connections, connection

from agentapp.foundation.errors import AgentError


class OpenTransaction(AgentError):
    """A slow call was about to start inside a database transaction."""


@contextmanager
def released_connection() -> Iterator[None]:
    """Give this thread's connection back to the pool for the time of a slow call.

    Raises:
        OpenTransaction: A transaction is open; locks would be held for the whole call.
    """
    refuse_open_transaction()
    if not connection.in_atomic_block:
        connection.close()
    yield


def refuse_open_transaction() -> None:
    """Raise unless the thread is outside every transaction of ours.

    A test's own enclosing transaction is marked by Django and does not count.
    """
    blocks = connection.atomic_blocks
    if any(not getattr(block, "_from_testcase", False) for block in blocks):
        raise OpenTransaction


@contextmanager
def fresh_connection() -> Iterator[None]:
    """Wrap a unit of work of a long-lived thread: no stale connection in, none kept after."""
    if not connection.in_atomic_block:
        close_old_connections()
    try:
        yield
    finally:
        if not connection.in_atomic_block:
            connection.close()
