"""Nobody hears what is not theirs: every asker in every room, over every memory there is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import product

import psycopg
import pytest
from django.db import connection

from agentapp.foundation import clock
from agentapp.identity.models import Agent, Participant, Person, Room
from agentapp.memory import rules
from agentapp.memory.models import Memory
from agentapp.memory.queries import hearing
from agentapp.memory.queries.halves import take_halves
from tests.agentapp.memory.world import Builder, Tenant, is_open, random_vector

EVERYTHING = 10_000
WORD_OF_ALL = "memory"  # stands in every text of the world
WAYS = ("meaning", "words", "both")
ANY_VECTOR = random_vector(random.Random(1))  # noqa: S311
PLANS = {
    "free": (),
    "no sequential scan": ("enable_seqscan = off",),
    "no index scan": ("enable_indexscan = off", "enable_indexonlyscan = off"),
    "no bitmap, no nested loop": ("enable_bitmapscan = off", "enable_nestloop = off"),
    "generic plan": ("plan_cache_mode = force_generic_plan",),
    "custom plan": ("plan_cache_mode = force_custom_plan",),
}


@dataclass
class World:
    tenants: list[Tenant]
    memories: list[Memory]

    def agents(self) -> list[Agent]:
        return [agent for tenant in self.tenants for agent in tenant.agents]

    def people(self) -> list[Person | None]:
        return [None, *(person for tenant in self.tenants for person in tenant.people)]

    def rooms(self) -> list[Room]:
        return [
            room for tenant in self.tenants for room in (*tenant.rooms, *tenant.direct.values())
        ]

    def askers(self) -> Iterator[tuple[Agent, Person | None, Room]]:
        return product(self.agents(), self.people(), self.rooms())

    def may_be_heard(self, memory: Memory, agent: Agent, person: Person | None, room: Room) -> bool:
        """Say it once more, from the specification and without SQL."""
        if memory.agent != agent or room.workspace_id != agent.workspace_id:
            return False
        if memory.person is None:
            return True
        if memory.person != person:
            return False
        if room.kind == "direct":
            return room in self._direct_rooms_of(person)
        assert memory.room is not None
        if memory.audience == "public":
            return is_open(room)
        return memory.audience == "room" and memory.room == room

    def _direct_rooms_of(self, person: Person) -> list[Room]:
        return [
            room
            for tenant in self.tenants
            for (_, person_id), room in tenant.direct.items()
            if person_id == person.pk
        ]


@pytest.fixture
def world(db: None, builder: Builder) -> World:
    tenants = [builder.tenant("North"), builder.tenant("South")]
    memories = []
    for tenant in tenants:
        for agent in tenant.agents:
            memories.append(builder.memory(agent, None, None))
            for person in tenant.people:
                rooms = [*tenant.rooms, tenant.direct[agent.pk, person.pk]]
                memories += [builder.memory(agent, room, person) for room in rooms]
    return World(tenants, memories)


def raw_recall(agent: Agent, person: Person | None, room: Room, *, way: str = "both") -> set[int]:
    """Run the very statement recall runs, prepared by the server, so that plans can be forced."""
    asked = hearing.Listening(
        agent_id=agent.pk,
        person_id=person.pk if person else None,
        room_id=room.pk,
        vector=None if way == "words" else ANY_VECTOR,
        words=[] if way == "meaning" else rules.asked_words(WORD_OF_ALL),
        limit=EVERYTHING,
    )
    given = hearing.columns([asked, asked], kind=take_halves(connection.connection))
    with psycopg.Cursor(connection.connection) as cursor:
        rows = cursor.execute(hearing.FOUND_OF_EACH, given, prepare=True).fetchall()
    first, second = ([row[1] for row in rows if row[0] == n] for n in (1, 2))
    assert len(first) == len(set(first))
    assert sorted(first) == sorted(second), "who is asked for at the same moment changes nothing"
    return set(first)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
def test_every_asker_hears_exactly_what_is_theirs(
    world: World, plan: tuple[str, ...], way: str
) -> None:
    with connection.cursor() as cursor:
        for setting in plan:
            cursor.execute(f"SET LOCAL {setting}")
    heard = 0

    for agent, person, room in world.askers():
        expected = {
            memory.pk
            for memory in world.memories
            if world.may_be_heard(memory, agent, person, room)
        }
        assert raw_recall(agent, person, room, way=way) == expected, (agent, person, room.kind)
        heard += len(expected)

    assert heard > len(world.memories), "every memory is heard somewhere, or nothing was tested"


def test_every_memory_is_heard_by_its_person_in_their_direct_room(world: World) -> None:
    for memory in world.memories:
        tenant = next(each for each in world.tenants if each.workspace == memory.workspace)
        person = memory.person or tenant.people[0]

        assert memory.pk in raw_recall(
            memory.agent, person, tenant.direct[memory.agent_id, person.pk]
        )


def test_withdrawn_expired_and_deleted_is_not_heard(builder: Builder, tenant: Tenant) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    now = clock.now()
    held = builder.memory(agent, room, person, expires_at=now + timedelta(hours=1))
    builder.memory(agent, room, person, withdrawn_at=now)
    builder.memory(agent, room, person, expires_at=now - timedelta(seconds=1))
    builder.memory(agent, room, person, deleted_at=now)
    builder.memory(agent, None, None, withdrawn_at=now)

    for way in WAYS:
        assert raw_recall(agent, person, room, way=way) == {held.pk}


def test_what_has_no_vector_of_the_present_model_is_found_by_its_words(
    builder: Builder, tenant: Tenant
) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    bare = builder.memory(agent, room, person, embedding=None, embedding_model="")
    other = builder.memory(
        agent, room, person, embedding=[0.5] * 512, embedding_model="another-model"
    )

    assert raw_recall(agent, person, room, way="meaning") == set()
    assert raw_recall(agent, person, room, way="both") == {bare.pk, other.pk}


def test_who_is_never_to_be_remembered_is_answered_without_memory(
    builder: Builder, tenant: Tenant
) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    builder.memory(agent, room, person)
    lesson = builder.memory(agent, None, None)
    Person.objects.filter(pk=person.pk).update(never_remember=True)

    assert raw_recall(agent, person, room) == {lesson.pk}


def test_a_direct_room_that_somebody_else_entered_is_no_longer_direct(
    builder: Builder, tenant: Tenant
) -> None:
    agent, person, other = tenant.agents[0], *tenant.people[:2]
    room = tenant.direct[agent.pk, person.pk]
    builder.memory(agent, room, person)
    Participant.objects.create(room=room, identity=tenant.identities[other.pk])

    assert raw_recall(agent, person, room) == set()


def test_a_direct_room_its_person_left_is_no_longer_theirs(
    builder: Builder, tenant: Tenant
) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    builder.memory(agent, room, person)
    Participant.objects.filter(room=room).update(left_at=clock.now())

    assert raw_recall(agent, person, room) == set()


def test_what_was_told_in_a_private_room_stays_unsaid_once_the_room_is_public(
    builder: Builder, tenant: Tenant
) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    private = tenant.rooms[2]
    memory = builder.memory(agent, private, person)
    assert raw_recall(agent, person, private) == {memory.pk}
    Room.objects.filter(pk=private.pk).update(visibility="public")

    assert raw_recall(agent, person, private) == set()


def test_what_was_told_in_public_stays_unsaid_in_a_room_that_became_private(
    builder: Builder, tenant: Tenant
) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    public = tenant.rooms[0]
    memory = builder.memory(agent, public, person)
    assert raw_recall(agent, person, public) == {memory.pk}
    Room.objects.filter(pk=public.pk).update(visibility="private")

    assert raw_recall(agent, person, public) == set()
