"""Objects of a prepared read are those that Django makes of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, F, Model, QuerySet, Value
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from agentapp.drafts.models import Draft
from agentapp.foundation.prepared import prepared
from agentapp.foundation.prepared.reads import Prepared
from agentapp.identity.models import Agent, Room
from tests.bots.places import approved
from tests.cast import Cast

QUERIES: dict[str, Any] = {
    "plain": lambda pk: Room.objects.filter(pk__gte=pk),
    "beside": lambda pk: Room.objects.select_related("workspace").filter(pk__gte=pk),
    "deeper": lambda pk: Draft.objects.select_related(
        "agent__workspace", "room", "target", "person"
    ).filter(pk__gte=pk),
    "some columns": lambda pk: Room.objects.only("name", "workspace_id").filter(pk__gte=pk),
    "some columns beside": lambda pk: (
        Room.objects.select_related("workspace").only("name", "workspace__name").filter(pk__gte=pk)
    ),
    "annotated": lambda pk: Agent.objects.annotate(
        rooms=Count("memberships"), word=Value("x"), twice=F("name")
    ).filter(pk__gte=pk),
}


def told(one: Model) -> dict[str, object]:
    """Return all that an object says of itself, and of those that came with it."""
    state = one._state
    beside = {
        name: told(other) if isinstance(other, Model) else other
        for name, other in state.fields_cache.items()
    }
    plain = {name: value for name, value in vars(one).items() if name != "_state"}
    deferred = one.get_deferred_fields()
    return {**plain, "adding": state.adding, "db": state.db, "beside": beside, "later": deferred}


@pytest.mark.parametrize("name", QUERIES)
def test_they_are_what_django_makes(cast: Cast, name: str) -> None:
    approved(cast)
    build = QUERIES[name]
    read = Prepared(lambda pk: build(pk).order_by("pk"), ())
    found = read(pk=0)
    expected = list(build(0).order_by("pk"))
    assert [type(one) for one in found] == [type(one) for one in expected]
    assert [told(one) for one in found] == [told(one) for one in expected] != []


@prepared
def by_name(name: str) -> QuerySet[Room]:
    return (
        Room.objects.select_related("workspace").only("name", "workspace__name").filter(name=name)
    )


def test_what_was_not_selected_is_read_when_asked_for(cast: Cast) -> None:
    (room,) = by_name(name=cast.lounge.name)
    with CaptureQueriesContext(connection) as queries:
        assert room.visibility == cast.lounge.visibility
        assert room.workspace.name == cast.workspace.name
    assert len(queries) == 1


def test_one_can_be_changed_and_saved(cast: Cast) -> None:
    (room,) = by_name(name=cast.lounge.name)
    room.name = "Other"
    with CaptureQueriesContext(connection) as queries:
        room.save(update_fields=["name"])
    assert [query["sql"].split()[0] for query in queries] == ["UPDATE"]
    assert Room.objects.get(pk=cast.lounge.pk).name == "Other"


@contextmanager
def listening(model: type[Model]) -> Iterator[list[Model]]:
    heard: list[Model] = []

    def hear(instance: Model, **_: object) -> None:
        heard.append(instance)

    post_init.connect(hear, sender=model)
    try:
        yield heard
    finally:
        post_init.disconnect(hear, sender=model)


def test_where_somebody_listens_django_makes_them(cast: Cast) -> None:
    with listening(Room) as heard:
        (room,) = Prepared(QUERIES["plain"], ())(pk=cast.lounge.pk)[:1]
        assert room in heard


def test_a_model_with_a_constructor_of_its_own_is_left_to_django(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    usual = Room.__init__

    def own(self: Room, *args: Any, **kwargs: Any) -> None:
        made.append(args)
        usual(self, *args, **kwargs)

    monkeypatch.setattr(Room, "__init__", own)
    assert Prepared(QUERIES["plain"], ())(pk=cast.lounge.pk)
    assert made
