"""How a thread holds and gives back its database connection, and how processes call each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import close_old_connections, connection, connections, transaction
from psycopg.conninfo import make_conninfo

from agentapp.foundation.errors import AgentError
from agentapp.foundation.prepared import planned

_IN_A_DSN = ("dbname", "user", "password", "host", "port", "sslmode", "sslrootcert")


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
    """Raise unless the thread is outside every transaction of ours."""
    if in_transaction():
        raise OpenTransaction


def in_transaction() -> bool:
    """Say whether a transaction of ours is open in this thread.

    A test's own enclosing transaction is marked by Django and does not count.
    """
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


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


def notify_on_commit(channel: str) -> None:
    """Wake those who listen on a channel once the surrounding transaction is committed.

    A hint: it is lost if this process ends in between. Sent apart, because transactions that
    notify are committed one after the other, each with its own wait for the disk.
    """
    transaction.on_commit(lambda: _notify(channel), robust=True)


def _notify(channel: str) -> None:
    with planned() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [channel])


def own_conninfo() -> str:
    """Return how to connect beside the pool, for a connection that listens for a long time."""
    known = connections["default"].get_connection_params()
    return make_conninfo(**{key: known[key] for key in _IN_A_DSN if known.get(key)})
