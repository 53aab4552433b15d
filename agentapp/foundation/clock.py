"""The one clock: database time, so that no worker's clock decides what has expired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, models

from agentapp.foundation.prepared.texts import planned


class GreenroomNow(models.Func):
    """`greenroom_now()` in SQL, for race, lease and expiry predicates."""

    function = "greenroom_now"
    template = "%(function)s()"
    output_field = models.DateTimeField()


def now() -> datetime:
    """Read the time once for a unit of work.

    Returns:
        Aware UTC time of this statement, not of the transaction's start.
    """
    with planned() as cursor:
        cursor.execute("SELECT greenroom_now()")
        (value,) = cursor.fetchone()
    assert isinstance(value, datetime)
    return value


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Move the clock of every process on this database; only a test database allows it.

    The app role may not write the offset in a real deployment, so this raises there.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)",
            [by.total_seconds()],
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE greenroom_clock SET shift = shift - make_interval(secs => %s)",
                [by.total_seconds()],
            )
