"""At night repeated memories become one, useful ones stay, and what is over goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.identity.models import Room
from agentapp.memory import upkeep
from agentapp.memory.models import Fact, Memory
from tests.agentapp.memory.test_recall import towards
from tests.agentapp.memory.world import Builder, Tenant

DAY = timedelta(days=1)
Make = Callable[..., Memory]


@pytest.fixture
def make(builder: Builder, tenant: Tenant) -> Make:
    """Make a memory of the first agent about the first person, from the first public room."""

    def made(**changes: object) -> Memory:
        room = changes.pop("room", tenant.rooms[0])
        assert isinstance(room, Room)
        return builder.memory(tenant.agents[0], room, tenant.people[0], **changes)

    return made


def left() -> set[int]:
    return set(Memory.objects.values_list("pk", flat=True))


def test_the_newer_of_two_that_say_the_same_stands_for_both(make: Make) -> None:
    used = clock.now()
    older = make(embedding=towards(1, 0.99), uses=2, importance=0.9, last_used_at=used)
    newer = make(embedding=towards(2, 0.99), uses=1)

    assert upkeep.consolidate() == 1
    assert upkeep.consolidate() == 0

    newer.refresh_from_db()
    assert left() == {newer.pk}
    assert (newer.uses, newer.importance, newer.last_used_at) == (3, 0.9, used)
    assert older.pk not in left()


def test_of_many_that_say_the_same_the_newest_is_left_with_all_uses(make: Make) -> None:
    rows = [make(embedding=towards(axis, 0.995), uses=1) for axis in range(1, 6)]

    assert upkeep.consolidate() == 4

    assert left() == {rows[-1].pk}
    assert Memory.objects.get().uses == 5


def test_what_differs_is_left_apart(builder: Builder, tenant: Tenant, make: Make) -> None:
    same = towards(1, 0.99)
    make(embedding=same)
    make(embedding=towards(2, 0.5))
    make(embedding=same, audience="direct")
    make(embedding=same, audience="room", room=tenant.rooms[1])
    make(embedding=same, audience="room", room=tenant.rooms[2])
    make(embedding=same, kind="summary")
    make(embedding=same, embedding_model="another-model")
    make(embedding=same, withdrawn_at=clock.now())
    make(embedding=None)
    builder.memory(tenant.agents[0], tenant.rooms[0], tenant.people[1], embedding=same)
    builder.memory(tenant.agents[1], tenant.rooms[0], tenant.people[0], embedding=same)
    before = left()

    assert upkeep.consolidate() == 0
    assert left() == before


def test_what_was_put_right_or_taken_apart_is_not_replaced(make: Make, tenant: Tenant) -> None:
    corrected = make(embedding=towards(1, 0.99), corrected_at=clock.now())
    fact = make(embedding=towards(2, 0.99))
    Fact.objects.create(
        workspace=tenant.workspace, memory=fact, author=tenant.people[0], predicate="home",
        object="Rome", confidence=1, valid_from=clock.now(),
    )  # fmt: skip
    newest = make(embedding=towards(3, 0.99))

    assert upkeep.consolidate() == 0
    assert left() == {corrected.pk, fact.pk, newest.pk}


def test_what_was_of_use_is_kept_longer(make: Make) -> None:
    now = clock.now()
    soon = {"expires_at": now + DAY, "last_used_at": now}
    short = make(tier="short", uses=2, **soon)
    mid = make(tier="mid", uses=3, **soon)
    unused = make(tier="short", uses=1, **soon)
    long_ago = make(tier="mid", uses=9, expires_at=now + DAY, last_used_at=now - 31 * DAY)

    assert upkeep.promote() == 2
    assert upkeep.promote() == 0, "not again before it is of use again"

    tiers = dict(Memory.objects.values_list("pk", "tier"))
    assert tiers == {short.pk: "mid", mid.pk: "long", unused.pk: "short", long_ago.pk: "mid"}
    short.refresh_from_db()
    mid.refresh_from_db()
    assert short.expires_at is not None
    assert short.expires_at > now + 59 * DAY
    assert mid.expires_at is None


def test_what_is_over_goes(make: Make) -> None:
    now = clock.now()
    make(expires_at=now - upkeep.KEPT_AFTER_EXPIRY - DAY)
    make(withdrawn_at=now - upkeep.KEPT_AFTER_WITHDRAWAL - DAY)
    make(deleted_at=now - upkeep.KEPT_AFTER_DELETION - DAY)
    kept = {
        make().pk,
        make(expires_at=now - DAY).pk,
        make(withdrawn_at=now).pk,
        make(deleted_at=now).pk,
        make(expires_at=now + DAY).pk,
    }

    assert upkeep.prune(limit=2) == 2
    assert upkeep.prune() == 1
    assert upkeep.prune() == 0
    assert left() == kept


def test_a_fact_goes_with_its_memory(make: Make, tenant: Tenant) -> None:
    gone = make(expires_at=clock.now() - 9 * DAY)
    Fact.objects.create(
        workspace=tenant.workspace, memory=gone, author=tenant.people[0], predicate="home",
        object="Rome", confidence=1, valid_from=clock.now(),
    )  # fmt: skip

    assert upkeep.prune() == 1

    assert not Fact.objects.exists()


def test_of_too_much_the_least_useful_goes(builder: Builder, tenant: Tenant, make: Make) -> None:
    make(importance=0.1)
    kept = {
        make(importance=0.1, corrected_at=clock.now()).pk,
        make(importance=0.1, uses=20).pk,
        make(importance=0.9).pk,
        builder.memory(tenant.agents[0], None, None, importance=0).pk,
    }

    assert upkeep.trim(most=3) == 1
    assert upkeep.trim(most=3) == 0
    assert left() == kept


def test_a_night_is_written_down_once(make: Make) -> None:
    make(withdrawn_at=clock.now() - 9 * DAY)

    assert upkeep.keep_up() == 1
    assert upkeep.keep_up() == 0

    event = Event.objects.get(type="memory.kept_up")
    assert event.payload == {"consolidated": 0, "promoted": 0, "pruned": 1, "trimmed": 0}
