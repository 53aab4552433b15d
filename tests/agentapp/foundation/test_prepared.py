"""A prepared read answers as the queryset it was built from, without building it again."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, connection, transaction
from django.db.models import F, JSONField, QuerySet, Value
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import insert, prepared, prepared_by, prepared_update
from agentapp.identity.models import Agent, Room, Seat
from tests.cast import Cast
from tests.fakes.connecting import in_threads

BUILT: list[object] = []


@prepared
def room_with_workspace(room_id: int | None) -> QuerySet[Room]:
    BUILT.append(room_id)
    return Room.objects.select_related("workspace").filter(pk=room_id)


@prepared
def names(agent_ids: list[int]) -> QuerySet[Agent, str]:
    return Agent.objects.filter(pk__any=agent_ids).order_by("-name").values_list("name", flat=True)


@prepared_by("limit")
def some_names(workspace_id: int, limit: int) -> QuerySet[Agent, str]:
    agents = Agent.objects.filter(workspace_id=workspace_id).order_by("name")
    return agents.values_list("name", flat=True)[:limit]


@prepared
def locked(room_id: int) -> QuerySet[Room]:
    return Room.objects.select_for_update().filter(pk=room_id)


def test_it_answers_by_its_arguments_and_is_built_once(cast: Cast) -> None:
    room_with_workspace(room_id=0)
    BUILT.clear()
    other = Room.objects.create(
        workspace=cast.workspace, platform="local", external_id="x", kind="room", name="Other"
    )
    with CaptureQueriesContext(connection) as queries:
        found = [room_with_workspace.get(room_id=each.pk) for each in (cast.lounge, other)]
        assert [room.workspace.name for room in found] == [cast.workspace.name] * 2
    assert found == [cast.lounge, other]
    assert len(queries) == 2
    assert BUILT == []


def test_nothing_found_is_said_as_asked(cast: Cast) -> None:
    assert room_with_workspace(room_id=0) == []
    assert room_with_workspace.first(room_id=0) is None
    with pytest.raises(ObjectDoesNotExist):
        room_with_workspace.get(room_id=0)
    assert room_with_workspace(room_id=None) == []


def test_a_list_is_one_argument_whatever_its_length(cast: Cast) -> None:
    assert names(agent_ids=[cast.ada.pk, cast.bo.pk]) == ["Bo", "Ada"]
    assert names(agent_ids=[cast.ada.pk]) == ["Ada"]
    assert names(agent_ids=[]) == []


@pytest.mark.parametrize(("limit", "found"), [(2, ["Ada", "Bo"]), (1, ["Ada"]), (0, [])])
def test_how_many_rows_is_part_of_the_query(cast: Cast, limit: int, found: list[str]) -> None:
    assert some_names(workspace_id=cast.workspace.pk, limit=limit) == found


def test_words_of_a_member_stay_an_argument(cast: Cast) -> None:
    @prepared
    def by_name(name: str) -> QuerySet[Room]:
        return Room.objects.filter(name=name)

    assert by_name(name="x' OR '1'='1") == []
    assert by_name(name=cast.lounge.name) == [cast.lounge]
    assert by_name(name="100 %s") == []


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_in_a_transaction_only(live_cast: Cast) -> None:
    with transaction.atomic():
        assert locked(room_id=live_cast.lounge.pk) == [live_cast.lounge]
    with pytest.raises(TransactionManagementError):
        locked(room_id=live_cast.lounge.pk)


def test_threads_use_their_own_connections(live_cast: Cast) -> None:
    barrier = threading.Barrier(4)

    def ask(_: int) -> tuple[int, list[Room]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        barrier.wait()
        with CaptureQueriesContext(connection) as queries:
            found = room_with_workspace(room_id=live_cast.lounge.pk)
        return (pid if len(queries) == 1 else 0), found

    asked = in_threads(4, ask)

    assert all(found == [live_cast.lounge] for _, found in asked)
    assert len({pid for pid, _ in asked}) == 4


def test_an_argument_is_good_for_a_place_in_the_query_only(db: None) -> None:
    @prepared
    def branching(role: str) -> QuerySet[Seat]:
        seats = Seat.objects.all()
        return seats.filter(role=role) if role else seats

    @prepared
    def listing(roles: list[str]) -> QuerySet[Seat]:
        return Seat.objects.filter(role__in=list(roles))

    with pytest.raises(TypeError, match="cannot choose"):
        branching(role="owner")
    with pytest.raises(TypeError, match="__any"):
        listing(roles=["owner"])


@prepared_update
def rename(workspace_id: int, name: str) -> tuple[QuerySet[Room], dict[str, object]]:
    BUILT.append(name)
    rooms = Room.objects.filter(workspace_id=workspace_id, gone_at__isnull=True)
    return rooms, {"name": name, "limits": Value({}, JSONField()), "dial": Room.Dial.ASKED}


def test_an_update_changes_what_its_arguments_say_and_is_built_once(cast: Cast) -> None:
    rename(workspace_id=0, name="")
    BUILT.clear()
    with CaptureQueriesContext(connection) as queries:
        assert rename(workspace_id=cast.workspace.pk, name="Attic") == 1
        assert rename(workspace_id=cast.workspace.pk, name="Barn") == 1
        assert rename(workspace_id=0, name="Nowhere") == 0
    cast.lounge.refresh_from_db()
    assert (cast.lounge.name, cast.lounge.dial) == ("Barn", "asked")
    assert (len(queries), BUILT) == (3, [])


def test_an_insert_fills_in_what_the_database_does(cast: Cast) -> None:
    def room(**values: object) -> Room:
        return Room(workspace=cast.workspace, platform="local", kind="room", **values)

    first = insert(room(external_id="a", name="A", limits={"memories": 3}))
    second = insert(room(external_id="b", name="B", gone_at=GreenroomNow()))

    assert first.pk
    assert second.pk > first.pk
    assert first.created_at <= second.created_at
    stored = Room.objects.get(pk=first.pk)
    assert (stored.name, stored.limits, stored.gone_at) == ("A", {"memories": 3}, None)
    assert Room.objects.get(pk=second.pk).gone_at is not None
    first.name = "A2"
    first.save()
    assert Room.objects.get(pk=first.pk).name == "A2"


def test_an_insert_breaks_where_the_database_says_so(cast: Cast) -> None:
    copy = Room(
        workspace=cast.workspace, platform="local", kind="room", external_id=cast.lounge.external_id
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(copy)
    with pytest.raises(TypeError):
        insert(Room(workspace=cast.workspace, external_id="c", name=F("kind")))
