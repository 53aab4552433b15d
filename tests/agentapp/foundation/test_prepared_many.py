"""One statement for many calls gives what the calls one by one would have given."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import DataError, connection
from django.db.models import F, QuerySet
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from psycopg.types.json import Jsonb

from agentapp.conversation.models import Message
from agentapp.foundation import clock
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import (
    Change,
    insert_many,
    prepared,
    prepared_by,
    prepared_update,
)
from agentapp.foundation.prepared.arrays import array
from agentapp.identity.models import Agent, Identity, Room
from agentapp.turns.models import Turn
from tests.cast import Cast


@prepared
def room_with_workspace(room_id: int) -> QuerySet[Room]:
    return Room.objects.select_related("workspace").filter(pk=room_id, gone_at__isnull=True)


@prepared_by("limit")
def newest(room_id: int, owed: list[int], limit: int) -> QuerySet[Message]:
    messages = Message.objects.filter(room_id=room_id).exclude(pk__any=owed)
    return messages.select_related("author").order_by("-id")[:limit]


@prepared
def names(agent_ids: list[int]) -> QuerySet[Agent, str]:
    return Agent.objects.filter(pk__any=agent_ids).order_by("-name").values_list("name", flat=True)


@prepared
def locked(room_id: int) -> QuerySet[Room]:
    return Room.objects.select_for_update().filter(pk=room_id)


@prepared_update
def renamed(room_id: int, name: str, limits: Jsonb, gone_at: datetime | None) -> Change:
    return Room.objects.filter(pk=room_id, platform="local"), {
        "name": name,
        "limits": limits,
        "gone_at": gone_at,
        "agents_allowed": False,
    }


@pytest.fixture
def other(cast: Cast) -> Room:
    return Room.objects.create(
        workspace=cast.workspace, platform="local", external_id="x", kind="room", name="Other"
    )


def test_rows_come_back_by_call_in_one_statement(cast: Cast, other: Room) -> None:
    room_with_workspace(room_id=0)
    ids = [other.pk, 0, cast.lounge.pk, other.pk]
    with CaptureQueriesContext(connection) as queries:
        found = room_with_workspace.many([{"room_id": pk} for pk in ids])
        assert [[room.workspace.name for room in rows] for rows in found] == [
            [cast.workspace.name],
            [],
            [cast.workspace.name],
            [cast.workspace.name],
        ]
    assert found == [[other], [], [cast.lounge], [other]]
    assert len(queries) == 1
    assert room_with_workspace.many([]) == []
    assert room_with_workspace.first_of_each([{"room_id": 0}, {"room_id": other.pk}]) == [
        None,
        other,
    ]


def test_each_call_has_its_own_limit_order_and_list(cast: Cast, other: Room) -> None:
    sam = Identity.objects.create(
        workspace=cast.workspace, platform="local", external_id="sam", name="Sam"
    )
    said = {
        room.pk: [
            Message.objects.create(
                workspace=cast.workspace,
                room=room,
                external_id=f"{room.pk}-{n}",
                author=sam,
                text=f"{n}",
                sent_at=clock.now(),
            ).pk
            for n in range(4)
        ]
        for room in (cast.lounge, other)
    }
    calls = [
        {"room_id": room_id, "owed": ids[2:owed], "limit": 2}
        for (room_id, ids), owed in zip(said.items(), (4, 2), strict=True)
    ]
    found = newest.many(calls)
    assert [[message.pk for message in rows] for rows in found] == [
        [message.pk for message in newest(**call)]  # type: ignore[arg-type]
        for call in calls
    ]
    first, second = said.values()
    assert [[message.pk for message in rows] for rows in found] == [
        [first[1], first[0]],
        [second[3], second[2]],
    ]
    assert found[0][0].author == sam


def test_lists_may_differ_in_length(cast: Cast) -> None:
    calls = [{"agent_ids": [cast.ada.pk, cast.bo.pk]}, {"agent_ids": []}]
    assert names.many(calls) == [["Bo", "Ada"], []]


def test_locking_wants_a_transaction(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locked.many([{"room_id": cast.lounge.pk}]) == [[cast.lounge]]
    monkeypatch.setattr(connection, "get_autocommit", lambda: True)
    with pytest.raises(TransactionManagementError):
        locked.many([{"room_id": cast.lounge.pk}])


def test_many_rows_get_values_of_their_own(cast: Cast, other: Room) -> None:
    now = clock.now()
    foreign = Room.objects.create(
        workspace=cast.workspace, platform="matrix", external_id="y", kind="room", name="Far"
    )
    rooms = [other, foreign, cast.lounge]
    moments = [None, now, now - timedelta(days=1)]
    words = ['{"a":"b"}', "far\\", "O'Hara 100 %s"]
    calls = [
        {"room_id": room.pk, "name": name, "limits": Jsonb({"n": name}), "gone_at": moment}
        for room, name, moment in zip(rooms, words, moments, strict=True)
    ]
    with CaptureQueriesContext(connection) as queries:
        assert renamed.many(calls) == [True, False, True]
    assert len(queries) == 1
    for room in rooms:
        room.refresh_from_db()
    assert [room.name for room in rooms] == [words[0], "Far", words[2]]
    assert [room.limits for room in rooms] == [{"n": words[0]}, {}, {"n": words[2]}]
    assert [room.gone_at for room in rooms] == [None, None, moments[2]]
    assert [room.agents_allowed for room in rooms] == [False, True, False]
    assert renamed.many([]) == []


def test_rows_are_written_in_their_order(cast: Cast) -> None:
    rows = [
        Turn(
            workspace_id=cast.workspace.pk,
            agent=cast.ada,
            trigger_kind=Turn.Trigger.MESSAGE,
            trigger_id=n,
            status=Turn.Status.DONE,
            reasons=[{"words": f"{n} '\\ \"%s"}],
            finished_at=GreenroomNow(),
        )
        for n in (3, 1, 2)
    ]
    with CaptureQueriesContext(connection) as queries:
        assert insert_many(rows) == rows
    assert len(queries) == 1
    kept = list(Turn.objects.filter(agent=cast.ada).order_by("id"))
    assert [turn.trigger_id for turn in kept] == [3, 1, 2]
    assert [turn.pk for turn in kept] == [row.pk for row in rows]
    assert kept[0].reasons == [{"words": "3 '\\ \"%s"}]
    assert kept[0].finished_at is not None
    assert all(row.created_at is not None for row in rows)
    assert insert_many([]) == []


def test_too_long_a_text_is_an_error_not_a_cut(cast: Cast) -> None:
    row = Room(
        workspace=cast.workspace, platform="local", external_id="z", kind="room", name="x" * 121
    )
    with pytest.raises(DataError):
        insert_many([row])


def test_a_counter_counts_for_each_call(cast: Cast, other: Room) -> None:
    @prepared_update
    def raised(agent_id: int, workspace_id: int) -> Change:
        return Agent.objects.filter(pk=agent_id, workspace_id=workspace_id), {
            "version_id": F("version_id"),
            "timezone": "Europe/Vienna",
        }

    calls = [
        {"agent_id": cast.ada.pk, "workspace_id": cast.workspace.pk},
        {"agent_id": cast.bo.pk, "workspace_id": 0},
    ]
    assert raised.many(calls) == [True, False]
    cast.ada.refresh_from_db()
    assert cast.ada.timezone == "Europe/Vienna"


def test_lists_of_bytes_are_refused_instead_of_named() -> None:
    for value in (b"words", memoryview(b"words")):
        with pytest.raises(TypeError):
            array([value], "bytea")
