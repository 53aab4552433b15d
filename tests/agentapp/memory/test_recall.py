from __future__ import annotations

import os
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from agentapp.foundation import clock
from agentapp.memory import services
from agentapp.memory.embeddings import EMBEDDING_DIMENSIONS, Vector
from agentapp.memory.models import Memory
from agentapp.memory.recall import Recall, recall
from tests.agentapp.memory.world import Builder, Tenant


def towards(axis: int, share: float = 1.0) -> Vector:
    """A unit vector whose cosine with the first axis is `share`, the rest along `axis`."""
    vector = [0.0] * EMBEDDING_DIMENSIONS
    vector[axis] = (1 - share * share) ** 0.5
    vector[0] = share
    return vector


QUERY = towards(1, share=1.0)


def test_recall_takes_two_statements_however_much_is_remembered(
    builder: Builder, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    for size in (3, 60):
        for axis in range(size):
            builder.memory(agent, room, person, embedding=towards(1 + axis, 0.9))

        with django_assert_num_queries(2):
            found = recall(
                Recall(agent_id=agent.pk, person_id=person.pk, room_id=room.pk, vector=QUERY)
            )

        assert len(found) == min(8, size)


def test_nearest_of_equal_age_comes_first_with_its_similarity(
    builder: Builder, tenant: Tenant
) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    shares = [0.1, 0.9, -0.5, 0.4]
    for axis, share in enumerate(shares, start=1):
        builder.memory(agent, room, person, embedding=towards(axis, share))

    found = recall(Recall(agent_id=agent.pk, person_id=person.pk, room_id=room.pk, vector=QUERY))

    assert [each.similarity for each in found] == pytest.approx([0.9, 0.4, 0.1, -0.5], abs=1e-3)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_a_fresh_memory_overtakes_a_slightly_nearer_old_one(
    builder: Builder, tenant: Tenant
) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    old = builder.memory(agent, room, person, embedding=towards(1, 0.8))
    new = builder.memory(agent, room, person, embedding=towards(2, 0.7))
    Memory.objects.filter(pk=old.pk).update(created_at=clock.now() - timedelta(days=60))

    found = recall(Recall(agent_id=agent.pk, person_id=person.pk, room_id=room.pk, vector=QUERY))

    assert [each.id for each in found] == [new.pk, old.pk]
    # .5 similarity + .3 decay of .98 a day + .2 for what a person said
    assert found[1].score == pytest.approx(0.5 * 0.8 + 0.3 * 0.98**60 + 0.2, abs=1e-3)


def test_the_same_words_come_once(builder: Builder, tenant: Tenant) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    for _ in range(3):
        builder.memory(agent, room, person, text="I live in Rome.", text_hash="r" * 64)
    other = builder.memory(agent, room, person)

    found = recall(Recall(agent_id=agent.pk, person_id=person.pk, room_id=room.pk, vector=QUERY))

    assert len(found) == 2
    assert other.pk in {each.id for each in found}


def test_only_what_is_handed_out_counts_as_used(builder: Builder, tenant: Tenant) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    near = builder.memory(agent, room, person, embedding=towards(1, 0.9))
    far = builder.memory(agent, room, person, embedding=towards(2, 0.1))

    for _ in range(2):
        recall(
            Recall(agent_id=agent.pk, person_id=person.pk, room_id=room.pk, vector=QUERY, limit=1)
        )

    near.refresh_from_db()
    far.refresh_from_db()
    assert (near.uses, far.uses) == (2, 0)
    assert near.last_used_at is not None
    assert far.last_used_at is None


def test_a_try_out_recalls_and_counts_nothing(builder: Builder, tenant: Tenant) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]
    memory = builder.memory(agent, room, person)
    room.is_tryout = True
    room.save(update_fields=["is_tryout"])

    found = recall(Recall(agent_id=agent.pk, person_id=person.pk, room_id=room.pk, vector=QUERY))

    assert [each.id for each in found] == [memory.pk]
    memory.refresh_from_db()
    assert memory.uses == 0


def test_nothing_remembered_means_nothing_recalled(tenant: Tenant) -> None:
    agent, person = tenant.agents[0], tenant.people[0]
    room = tenant.direct[agent.pk, person.pk]

    assert (
        recall(Recall(agent_id=agent.pk, person_id=person.pk, room_id=room.pk, vector=QUERY)) == []
    )
    assert recall(Recall(agent_id=0, person_id=None, room_id=0, vector=QUERY)) == []


@pytest.mark.django_db(transaction=True)
def test_counting_a_use_does_not_wait_for_another_recall(builder: Builder) -> None:
    tenant = builder.tenant("Here")
    agent = tenant.agents[0]
    busy, free = builder.memory(agent, None, None), builder.memory(agent, None, None)
    with psycopg.connect(os.environ["DATABASE_URL"]) as other, connection.cursor() as cursor:
        other.execute("SELECT FROM agentapp_memory WHERE id = %s FOR UPDATE", [busy.pk])
        cursor.execute("SET lock_timeout = '2s'")

        services.mark_used([(pk, tenant.rooms[0].pk) for pk in (busy.pk, free.pk)])

    busy.refresh_from_db()
    free.refresh_from_db()
    assert (busy.uses, free.uses) == (0, 1)
