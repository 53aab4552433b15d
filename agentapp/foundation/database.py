"""How a thread holds and gives back its database connection, and how processes call each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
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
    here = _held()
    if here is not None:
        _refuse_open(here)
        if not here.in_atomic_block:
            here.close()
    yield


def refuse_open_transaction() -> None:
    """Raise unless the thread is outside every transaction of ours."""
    here = _held()
    if here is not None:
        _refuse_open(here)


def in_transaction() -> bool:
    """Say whether a transaction of ours is open in this thread.

    A test's own enclosing transaction is marked by Django and does not count.
    """
    here = _held()
    return here is not None and _is_open(here)


def _refuse_open(here: BaseDatabaseWrapper) -> None:
    if _is_open(here):
        raise OpenTransaction


def _is_open(here: BaseDatabaseWrapper) -> bool:
    return any(not getattr(block, "_from_testcase", False) for block in here.atomic_blocks)


def _held() -> BaseDatabaseWrapper | None:
    """Return this thread's connection if it holds one.

    Looked up once by whoever asks: a thread that waits dozens of times for each answer would
    spend more on looking up than on what it does with it.
    """
    here = connections[DEFAULT_DB_ALIAS]
    return here if here.connection is not None or here.in_atomic_block else None


@contextmanager
def fresh_connection() -> Iterator[None]:
    """Wrap a unit of work of a long-lived thread: no stale connection in, none kept after."""
    here = connections[DEFAULT_DB_ALIAS]
    if here.connection is not None and not here.in_atomic_block:
        here.close_if_unusable_or_obsolete()
    try:
        yield
    finally:
        if here.connection is not None and not here.in_atomic_block:
            here.close()


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
