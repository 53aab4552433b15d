"""Recall is exact for every owner, whatever plan the database picks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pytest
from django.db import connection
from numpy.typing import NDArray
from pytest_django import DjangoDbBlocker

from agentapp.identity.models import Agent, Person, Room
from agentapp.memory.embeddings import EMBEDDING_DIMENSIONS, EMBEDDING_MODEL
from agentapp.memory.models import Memory
from agentapp.memory.queries import hearing
from agentapp.memory.queries.halves import take_halves
from tests.agentapp.memory.world import Builder

AGENTS = 10
PEOPLE = 10
ROWS_OF_AN_OWNER = 101
ROWS_OF_THE_SMALL_OWNER = 3
CLUSTERS = 200
WANTED = 5
PLANS = {
    "free": (),
    "no sequential scan": ("enable_seqscan = off",),
    "no index scan": ("enable_indexscan = off", "enable_indexonlyscan = off"),
    "no sort": ("enable_sort = off", "enable_seqscan = off", "enable_bitmapscan = off"),
    "generic plan": ("plan_cache_mode = force_generic_plan",),
    "custom plan": ("plan_cache_mode = force_custom_plan",),
}
HNSW = """CREATE INDEX memory_hnsw ON agentapp_memory
    USING hnsw ((embedding::halfvec(384)) halfvec_cosine_ops)"""

Floats = NDArray[np.float32]


@dataclass
class Crowd:
    """A hundred owners (an agent's memories of one person); the first has three rows."""

    room: Room
    agents: list[Agent]
    people: list[Person]
    vectors: dict[tuple[int, int], Floats]
    ids: dict[tuple[int, int], list[int]]
    centres: Floats

    def exact(self, owner: tuple[int, int], query: Floats) -> set[int]:
        vectors = self.vectors[owner]
        order = np.argsort(-(vectors @ query) / np.linalg.norm(vectors, axis=1), kind="stable")
        return {self.ids[owner][place] for place in order[:WANTED]}


def unit(values: Floats) -> Floats:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def crowd(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Crowd]:
    """Commit the rows once for this module: only what is committed can be vacuumed."""
    with django_db_blocker.unblock():
        found = build_crowd(Builder())
        connection.close()
    with as_owner() as owner:
        vacuum(owner)
        yield found
        owner.execute("TRUNCATE agentapp_workspace, agentapp_user CASCADE")


def build_crowd(builder: Builder) -> Crowd:
    tenant = builder.tenant("Crowd")
    owner = tenant.agents[0].owner
    agents = [builder.agent(tenant.workspace, owner, f"A{n}") for n in range(AGENTS)]
    people = [Person.objects.create(workspace=tenant.workspace, name="P") for _ in range(PEOPLE)]
    rng = np.random.default_rng(20261121)
    centres = unit(rng.normal(size=(CLUSTERS, EMBEDDING_DIMENSIONS)))
    found = Crowd(tenant.rooms[0], agents, people, {}, {}, centres)
    for agent in agents:
        for person in people:
            is_first = not found.vectors
            size = ROWS_OF_THE_SMALL_OWNER if is_first else ROWS_OF_AN_OWNER
            near = centres[rng.integers(CLUSTERS, size=size)]
            noise = rng.normal(size=near.shape, scale=0.03)
            stored = unit(near + noise).astype(np.float16).astype(np.float32)
            found.vectors[agent.pk, person.pk] = stored
    copy_rows(found)
    for agent_id, person_id, memory_id in Memory.objects.order_by("id").values_list(
        "agent_id", "person_id", "id"
    ):
        found.ids.setdefault((agent_id, person_id or 0), []).append(memory_id)
    return found


def copy_rows(crowd: Crowd) -> None:
    """Insert all rows in random order of owners, as they come in real life."""
    rows = [(owner, vector) for owner, vectors in crowd.vectors.items() for vector in vectors]
    order = np.random.default_rng(7).permutation(len(rows))
    # Within an owner the order must stay, since ids are matched to vectors by it.
    places = {owner: iter(vectors) for owner, vectors in crowd.vectors.items()}
    command = (
        "COPY agentapp_memory (workspace_id, agent_id, person_id, room_id, tier, kind, audience,"
        " text, text_hash, embedding, embedding_model, embedding_dimensions, importance, uses)"
        " FROM STDIN"
    )
    connection.ensure_connection()
    with connection.connection.cursor() as cursor, cursor.copy(command) as copy:
        for number, place in enumerate(order):
            (agent_id, person_id), _ = rows[place]
            vector = next(places[agent_id, person_id])
            copy.write_row(
                [
                    *(crowd.room.workspace_id, agent_id, person_id, crowd.room.pk),
                    *("long", "episode", "public", f"memory {number}", f"{number:064}"),
                    f"[{','.join(f'{x:.5g}' for x in vector.tolist())}]",  # exact for 16 bits
                    *(EMBEDDING_MODEL, EMBEDDING_DIMENSIONS, 0.5, 0),
                ]
            )


@contextmanager
def as_owner() -> Iterator[psycopg.Connection]:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        yield owner


@contextmanager
def as_app() -> Iterator[psycopg.Connection]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as app:
        take_halves(app)
        yield app


def vacuum(owner: psycopg.Connection) -> None:
    """Vacuum until all pages count as visible: a passing snapshot may hold that back."""
    deadline = time.monotonic() + 30
    while True:
        # Else a few dead rows, which another test may have left, are not worth a look to it.
        owner.execute("VACUUM (ANALYZE, INDEX_CLEANUP ON) agentapp_memory")
        (hidden,) = owner.execute(
            "SELECT relpages - relallvisible FROM pg_class WHERE relname = 'agentapp_memory'"
        ).fetchall()
        if hidden == (0,):
            return
        assert time.monotonic() < deadline, "some transaction never ends"
        time.sleep(0.2)


def parameters(crowd: Crowd, owner: tuple[int, int], query: Floats) -> dict[str, Any]:
    return hearing.parameters(listening(crowd, owner, query))


def listening(crowd: Crowd, owner: tuple[int, int], query: Floats) -> hearing.Listening:
    return hearing.Listening(
        agent_id=owner[0],
        person_id=owner[1],
        room_id=crowd.room.pk,
        vector=query.tolist(),
        words=[],
        limit=WANTED,
    )


def assert_exact(crowd: Crowd, *, plan: str) -> None:
    """Ask small and large owners with related and unrelated queries under one plan."""
    rng = np.random.default_rng(11)
    owners = list(crowd.vectors)
    asked = [owners[0]] * 20 + [owners[place] for place in rng.integers(1, len(owners), 60)]
    hits = wanted = 0
    with as_app() as app:
        kind = take_halves(app)
        for setting in PLANS[plan]:
            app.execute(f"SET {setting}")
        for number, owner in enumerate(asked):
            unrelated = rng.normal(size=EMBEDDING_DIMENSIONS)
            related = crowd.vectors[owner][0] + rng.normal(size=EMBEDDING_DIMENSIONS, scale=0.03)
            query = unit(unrelated if number % 2 else related)
            both = [listening(crowd, each, query) for each in (owner, owners[0])]
            answers = app.execute(
                hearing.FOUND_OF_EACH, hearing.columns(both, kind=kind), prepare=True
            ).fetchall()
            rows = [row[1:] for row in answers if row[0] == 1]
            others = {row[1] for row in answers if row[0] == 2}
            assert others <= set(crowd.ids[owners[0]]), "asked for together, kept apart"
            found = {row[0] for row in rows}
            assert len(rows) == len(found) == min(WANTED, len(crowd.ids[owner]))
            assert found <= set(crowd.ids[owner]), "a foreign row"
            hits += len(found & crowd.exact(owner, query))
            wanted += len(found)
    assert hits / wanted >= 0.99


def test_recall_is_exact_under_every_plan(crowd: Crowd) -> None:
    for plan in PLANS:
        assert_exact(crowd, plan=plan)


def test_an_index_by_distance_over_everybody_changes_no_answer(crowd: Crowd) -> None:
    small = next(iter(crowd.vectors))
    query = unit(np.random.default_rng(3).normal(size=EMBEDDING_DIMENSIONS))
    with as_owner() as owner:
        owner.execute("SET max_parallel_maintenance_workers = 0")
        owner.execute(HNSW)
        try:
            assert count_found_without_barrier(crowd, small, query) < ROWS_OF_THE_SMALL_OWNER
            for plan in PLANS:
                assert_exact(crowd, plan=plan)
        finally:
            owner.execute("DROP INDEX memory_hnsw")


def count_found_without_barrier(crowd: Crowd, owner: tuple[int, int], query: Floats) -> int:
    """Ask the plain way with the index in use: proof that this data would show a mistake."""
    with as_app() as app:
        app.execute("SET enable_seqscan = off")
        app.execute("SET enable_sort = off")
        rows = app.execute(
            "SELECT id FROM agentapp_memory WHERE agent_id = %(agent_id)s"
            " AND person_id = %(person_id)s"
            " ORDER BY embedding::halfvec(384) <=> %(vector)s::halfvec(384) LIMIT 5",
            parameters(crowd, owner, query),
        ).fetchall()
    return len(rows)


def test_the_scan_reads_the_index_alone_after_vacuum(crowd: Crowd) -> None:
    query = unit(np.random.default_rng(5).normal(size=EMBEDDING_DIMENSIONS))
    owner_of_many = list(crowd.vectors)[1]
    with as_app() as app:
        rows = app.execute(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + hearing.FOUND,
            parameters(crowd, owner_of_many, query),
        ).fetchall()
    plan = "\n".join(row[0] for row in rows)

    scan = plan.partition("Index Only Scan using memory_cover on agentapp_memory memory ")[2]
    assert "Heap Fetches: 0" in scan.partition("->")[0], plan
    assert "Seq Scan on agentapp_memory" not in plan, plan
