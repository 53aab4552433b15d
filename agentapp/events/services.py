"""Writing the trail."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Required, TypedDict, Unpack

from django.db import connection

from agentapp.events.models import Event
from agentapp.foundation import live
from agentapp.foundation.errors import AgentError
from agentapp.foundation.prepared import array, planned

# Every change writes an event, so Django does not put this together anew each time.
INSERT = """
INSERT INTO agentapp_event (workspace_id, agent_id, room_id, type, subject_kind, subject_id,
    actor_kind, actor_id, payload)
SELECT workspace_id, agent_id, room_id, type, subject_kind, subject_id, actor_kind, actor_id,
    payload::jsonb
FROM unnest(%(workspace_id)s::bigint[], %(agent_id)s::bigint[], %(room_id)s::bigint[],
    %(type)s::text[], %(subject_kind)s::text[], %(subject_id)s::text[],
    %(actor_kind)s::text[], %(actor_id)s::text[], %(payload)s::text[])
    WITH ORDINALITY AS new(workspace_id, agent_id, room_id, type, subject_kind, subject_id,
        actor_kind, actor_id, payload, n)
ORDER BY n RETURNING id
"""
COLUMNS = {
    "workspace_id": "bigint",
    "agent_id": "bigint",
    "room_id": "bigint",
    "type": "text",
    "subject_kind": "text",
    "subject_id": "text",
    "actor_kind": "text",
    "actor_id": "text",
    "payload": "text",
}


class OutsideTransaction(AgentError):
    """An event was about to be written apart from the change it tells of."""


class Told(TypedDict, total=False):
    """What an event tells.

    Attributes:
        type: Such as `draft.approved`.
        subject_kind: What it is about, with `subject_id`.
        actor_id: The acting user's id.
        actor_kind: user or system, as there is an `actor_id` or not, unless it is named.
        payload: Anything else, as JSON.
    """

    type: Required[str]
    subject_kind: Required[str]
    subject_id: Required[object]
    workspace_id: int | None
    agent_id: int | None
    room_id: int | None
    actor_id: int | None
    actor_kind: str
    payload: dict[str, object] | None


def record(**told: Unpack[Told]) -> Event:
    """Write an event beside the change it tells of, and hint at it after commit.

    Raises:
        OutsideTransaction: No transaction is open. Nothing is written.
    """
    event = made(**told)
    record_many([event])
    return event


def made(**told: Unpack[Told]) -> Event:
    """Make an event for `record_many`; nothing is written."""
    actor_id = told.get("actor_id")
    return Event(
        type=told["type"],
        subject_kind=told["subject_kind"],
        subject_id=str(told["subject_id"]),
        workspace_id=told.get("workspace_id"),
        agent_id=told.get("agent_id"),
        room_id=told.get("room_id"),
        actor_kind=told.get("actor_kind") or ("user" if actor_id else "system"),
        actor_id=str(actor_id or ""),
        payload=told.get("payload") or {},
    )


def record_many(events: Iterable[Event]) -> None:
    """Write several events in one statement; otherwise as `record`."""
    if not connection.in_atomic_block:
        raise OutsideTransaction
    rows = list(events)
    if not rows:
        return
    with planned() as cursor:
        cursor.execute(INSERT, {name: _column(rows, name, kind) for name, kind in COLUMNS.items()})
        for row, (pk,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = pk
    live.publish_on_commit("events", rows[-1].pk)


def _column(rows: list[Event], name: str, kind: str) -> str:
    values = [getattr(row, name) for row in rows]
    return array([json.dumps(value) for value in values] if name == "payload" else values, kind)
