"""What a reader of the trail may rely on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from agentapp.events import queries, services
from agentapp.events.models import Event
from agentapp.events.queries import Cursor

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = """
    INSERT INTO agentapp_event (type, subject_kind, subject_id, actor_kind, actor_id, payload)
    VALUES (%s, 'room', '1', 'system', '', '{}') RETURNING id
"""


@contextmanager
def another_session() -> Iterator[psycopg.Connection[tuple[int]]]:
    """A second transaction beside the test's own."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as session:
        yield session


def recorded(type_: str) -> Event:
    with transaction.atomic():
        return services.record(type=type_, subject_kind="room", subject_id=1)


def types_after(cursor: Cursor) -> list[str]:
    return [row.type for row in queries.after(xid=cursor.xid, event_id=cursor.event_id)]


def place(event: Event) -> Cursor:
    event.refresh_from_db()
    return Cursor(event.xid, event.pk)


def test_an_event_committed_late_with_a_lower_id_is_not_skipped() -> None:
    start = queries.head()
    with another_session() as slow:
        row = slow.execute(INSERT, ["room.created"]).fetchone()
        assert row is not None
        quick = recorded("message.received")
        assert row[0] < quick.pk

        assert types_after(start) == []  # the later row waits for the slow one

        slow.commit()
    assert types_after(start) == ["room.created", "message.received"]


def test_a_reader_that_goes_on_from_each_last_row_sees_every_event_once() -> None:
    cursor = queries.head()
    seen: list[int] = []
    written: list[int] = []
    for _ in range(3):
        with another_session() as slow:
            written += [row[0] for row in [slow.execute(INSERT, ["a"]).fetchone()] if row]
            written.append(recorded("b").pk)
            seen += (rows := read_through(cursor))[0]
            cursor = rows[1]
            slow.commit()
    seen += read_through(cursor)[0]
    assert sorted(seen) == sorted(written)
    assert len(seen) == len(set(seen))


def read_through(cursor: Cursor) -> tuple[list[int], Cursor]:
    rows = queries.after(xid=cursor.xid, event_id=cursor.event_id, limit=1)
    ids: list[int] = []
    while rows:
        ids.append(rows[-1].pk)
        cursor = Cursor(rows[-1].xid, rows[-1].pk)
        rows = queries.after(xid=cursor.xid, event_id=cursor.event_id, limit=1)
    return ids, cursor


def test_the_head_lies_before_what_is_not_settled_yet() -> None:
    with another_session() as slow:
        slow.execute(INSERT, ["room.created"])
        recorded("message.received")
        head = queries.head()
        slow.commit()
    assert types_after(head) == ["room.created", "message.received"]


def test_the_head_lies_behind_everything_settled() -> None:
    recorded("message.received")
    assert types_after(queries.head()) == []


def test_a_live_reader_sees_a_committed_event_at_once_but_keeps_its_place() -> None:
    start = queries.head()
    with another_session() as slow:
        slow.execute(INSERT, ["room.created"])
        early = recorded("message.received")

        (sighting,) = queries.visible_after(start, known=[])
        assert sighting.event == early
        assert not sighting.is_settled
        assert queries.visible_after(start, known=[early.pk]) == []

        slow.commit()
    later = queries.visible_after(start, known=[early.pk])
    assert [row.event.type for row in later] == ["room.created", "message.received"]
    assert all(row.is_settled for row in later)


def test_rows_come_in_pages_of_the_limit() -> None:
    start = queries.head()
    first, second = recorded("a"), recorded("b")
    assert queries.after(xid=start.xid, event_id=start.event_id, limit=1) == [first]
    assert queries.after(xid=place(first).xid, event_id=first.pk, limit=1) == [second]


@given(xid=st.integers(0, 2**63 - 1), event_id=st.integers(0, 2**63 - 1))
def test_a_cursor_reads_back_what_it_prints(xid: int, event_id: int) -> None:
    cursor = Cursor(xid, event_id)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text", ["", ".", "1", "1.", ".1", "1.2.3", "a.b", "-1.2", "1.٣", "9" * 30 + ".1", f"{2**63}.1"]
)
def test_nonsense_is_no_cursor(text: str) -> None:
    assert Cursor.parse(text) is None
