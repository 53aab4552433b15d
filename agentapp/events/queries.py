"""Reading the trail in the order in which it became visible.

Ids are handed out before commit, so a slow transaction may commit a low id late. Rows therefore
carry their transaction's id, and a reader that must miss nothing goes by (xid, id) and stops
below the oldest transaction that is still running.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from typing_extensions import override

from agentapp.events.models import Event

LIMIT = 500
MAX_BIGINT = 2**63 - 1

_OLDEST_RUNNING = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_AFTER = f"""
    SELECT * FROM agentapp_event
    WHERE (xid, id) > (%s, %s) AND xid < {_OLDEST_RUNNING}
    ORDER BY xid, id LIMIT %s
"""  # noqa: S608  (only a constant of this file is put in)
_VISIBLE = f"""
    SELECT *, xid < {_OLDEST_RUNNING} AS is_settled FROM agentapp_event
    WHERE (xid, id) > (%s, %s) AND (xid < {_OLDEST_RUNNING} OR id <> ALL(%s))
    ORDER BY xid, id LIMIT %s
"""  # noqa: S608  (only a constant of this file is put in)
# The newest rows by id are taken first: a filter on time alone would walk the whole trail.
_RECENT = f"""
    SELECT *, xid < {_OLDEST_RUNNING} AS is_settled
    FROM (SELECT * FROM agentapp_event ORDER BY id DESC LIMIT %s) newest
    WHERE created_at > greenroom_now() - %s::interval
    ORDER BY xid, id
"""  # noqa: S608  (only a constant of this file is put in)


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the trail: everything up to and including it has been seen."""

    xid: int
    event_id: int

    @override
    def __str__(self) -> str:
        return f"{self.xid}.{self.event_id}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Read `xid.id`; None for anything else."""
        xid, separator, event_id = text.partition(".")
        if not separator or not _is_number(xid) or not _is_number(event_id):
            return None
        cursor = cls(int(xid), int(event_id))
        return cursor if max(cursor.xid, cursor.event_id) <= MAX_BIGINT else None


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event and whether nothing older can appear any more (`is_settled`)."""

    event: Event
    is_settled: bool


def head() -> Cursor:
    """Return the place behind which everything still to come will appear.

    One query. What is committed but not yet settled counts as still to come.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_OLDEST_RUNNING}")
        (xid,) = cursor.fetchone()
    return Cursor(xid, 0)


def after(*, xid: int, event_id: int, limit: int = LIMIT) -> list[Event]:
    """Return settled events behind a place, oldest first. One query.

    An event is settled once every transaction that began before its own has ended; what comes
    later sorts behind it, so the last row's (xid, id) is a safe place to go on from.
    """
    return list(Event.objects.raw(_AFTER, [xid, event_id, limit]))


def visible_after(cursor: Cursor, *, known: Collection[int], limit: int = LIMIT) -> list[Sighting]:
    """Return committed events behind a place, settled ones first. One query.

    For live pages, which should not wait for somebody else's long transaction. Only settled rows
    may move the reader's place; of the others those in `known` are left out.
    """
    return _sightings(_VISIBLE, [cursor.xid, cursor.event_id, list(known), limit])


def recent(*, within: timedelta, limit: int = LIMIT) -> list[Sighting]:
    """Return the events of the last moments, among the newest `limit`. One query."""
    return _sightings(_RECENT, [limit, f"{within.total_seconds()} seconds"])


def _sightings(query: str, parameters: list[Any]) -> list[Sighting]:
    rows = Event.objects.raw(query, parameters)
    return [Sighting(event, vars(event)["is_settled"]) for event in rows]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_BIGINT))


def latest_of(
    *, type_: str, subject_kind: str, ids: Collection[int | str]
) -> dict[int, dict[str, Any]]:
    """Return what the newest event of a type says about each of these subjects; one query."""
    rows = (
        Event.objects.filter(
            type=type_, subject_kind=subject_kind, subject_id__in=[str(one) for one in ids]
        )
        .order_by("id")
        .values_list("subject_id", "payload")
    )
    return {int(subject_id): payload for subject_id, payload in rows}
