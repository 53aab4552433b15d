"""Recall over many memories of one agent, beside a plain nearest-neighbour query on the same rows.

    python -m benchmarks.recall

For 10,000 and 100,000 memories of one agent about a hundred people, and about one: how long recall
takes, and how many of the five memories that numpy finds nearest it finds. The plain query is what
one writes first: the same table, the agent's rows of that person, ordered by distance, five of
them; once with an approximate index (HNSW) over the table, which it may then use. The last line is
one JSON object.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks.measuring import percentile
from tests.services import running_services

if TYPE_CHECKING:
    from tests.agentapp.memory.world import Tenant

Floats = NDArray[np.float32]

SIZES = ((10_000, 100), (10_000, 1), (100_000, 100), (100_000, 1))  # memories, people
CLUSTERS = 200
DIMENSIONS = 384
WANTED = 5
SEARCHES = 100
WARM_UPS = 10
WORDS = 3_000
WORDS_OF_A_MEMORY = 10
WORDS_OF_A_QUESTION = 6
HNSW = """
SET maintenance_work_mem = '1GB';
CREATE INDEX memory_hnsw ON agentapp_memory
    USING hnsw ((embedding::halfvec(384)) halfvec_cosine_ops);
ANALYZE agentapp_memory
"""
EXACT = """
SELECT id FROM agentapp_memory WHERE agent_id = %s AND person_id = %s
ORDER BY embedding <=> %s::halfvec LIMIT 5
"""
APPROXIMATE = """
SELECT id FROM agentapp_memory WHERE agent_id = %s AND person_id = %s
ORDER BY embedding::halfvec(384) <=> %s::halfvec(384) LIMIT 5
"""


@dataclass
class Rows:
    """The memories of one agent, by person."""

    agent_id: int
    room_id: int
    people: list[int]
    vectors: dict[int, Floats]
    ids: dict[int, list[int]]
    queries: list[tuple[int, Floats, str]]

    def nearest(self, person: int, query: Floats) -> set[int]:
        """Return the ids of the five nearest, by numpy."""
        order = np.argsort(-(self.vectors[person] @ query), kind="stable")
        return {self.ids[person][place] for place in order[:WANTED]}


@dataclass(frozen=True)
class Measured:
    """Milliseconds of one search, and the share of the nearest five that it found."""

    p50: float
    p95: float
    recall: float


def main() -> None:
    """Measure every size and print the table."""
    with running_services(settings=("shared_buffers=512MB",)) as environment:
        os.environ.update(environment, DJANGO_SETTINGS_MODULE="agentapp.config.settings")
        import django

        django.setup()
        from tests.agentapp.memory.world import Builder

        tenant = Builder().tenant("Bench")
        found = {
            f"{size} memories, {people} people": measure(tenant, size, people)
            for size, people in SIZES
        }
    report(found)


def measure(tenant: Tenant, size: int, people: int) -> dict[str, Measured]:
    """Fill the table anew and search it in every way."""
    rows = fill(tenant, size, people)
    ways: dict[str, Measured] = {
        "recall, meaning and words": timed(rows, recall_with(rows, words=True)),
        "recall, meaning alone": timed(rows, recall_with(rows, words=False)),
    }
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        ways["plain, exact"] = timed(rows, plain_with(owner, rows, EXACT))
        owner.execute(HNSW)
        ways["plain, with HNSW"] = timed(rows, plain_with(owner, rows, APPROXIMATE))
        owner.execute("DROP INDEX memory_hnsw")
    return ways


def timed(rows: Rows, search: Callable[[int, Floats, str], list[int]]) -> Measured:
    """Search with all queries and compare with numpy."""
    spent, hits, wanted = [], 0, 0
    for number, (person, query, words) in enumerate(rows.queries):
        begun = time.perf_counter()
        ids = search(person, query, words)
        if number >= WARM_UPS:
            spent.append(1000 * (time.perf_counter() - begun))
            nearest = rows.nearest(person, query)
            hits += len(nearest & set(ids))
            wanted += len(nearest)
    return Measured(percentile(spent, 0.5), percentile(spent, 0.95), hits / wanted)


def recall_with(rows: Rows, *, words: bool) -> Callable[[int, Floats, str], list[int]]:
    """Return a search by the product's own statement; what it found, the nearest first."""
    from agentapp.memory import rules
    from agentapp.memory.queries import Listening, list_heard

    def search(person: int, query: Floats, said: str) -> list[int]:
        (heard,) = list_heard(
            [
                Listening(
                    agent_id=rows.agent_id,
                    person_id=person,
                    room_id=rows.room_id,
                    vector=query.tolist(),
                    words=rules.asked_words(said) if words else [],
                    limit=4 * 8,
                )
            ]
        )
        near = sorted(heard, key=lambda each: -(each.similarity or 0))
        return [each.id for each in near[:WANTED]]

    return search


def plain_with(
    owner: psycopg.Connection[Any], rows: Rows, statement: str
) -> Callable[[int, Floats, str], list[int]]:
    """Return the search that one writes first."""

    def search(person: int, query: Floats, _said: str) -> list[int]:
        vector = f"[{','.join(f'{x:.5g}' for x in query.tolist())}]"
        found = owner.execute(statement, [rows.agent_id, person, vector]).fetchall()
        return [row[0] for row in found]

    return search


def fill(tenant: Tenant, size: int, people: int) -> Rows:
    """Write memories of the first agent, in clusters as real ones lie, and vacuum."""
    from django.db import connection

    from agentapp.identity.models import Person

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM agentapp_memory")
    rng = np.random.default_rng(20261121)
    persons = [
        Person.objects.create(workspace=tenant.workspace, name="P").pk for _ in range(people)
    ]
    centres = unit(rng.normal(size=(CLUSTERS, DIMENSIONS)))
    spread = centres[rng.integers(CLUSTERS, size=size)] + rng.normal(
        size=(size, DIMENSIONS), scale=0.03
    )
    vectors = unit(spread).astype(np.float16).astype(np.float32)
    owners = [persons[number % people] for number in range(size)]
    words = made_up_words(rng)
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY agentapp_memory (workspace_id, agent_id, person_id, room_id, tier, kind,"
            " audience, text, text_hash, embedding, embedding_model, embedding_dimensions,"
            " importance, uses)"
            " FROM STDIN"
        ) as copy,
    ):
        for number, (owner, vector) in enumerate(zip(owners, vectors, strict=True)):
            text = " ".join(words[place] for place in rng.integers(WORDS, size=WORDS_OF_A_MEMORY))
            copy.write_row(
                [
                    *(tenant.workspace.pk, tenant.agents[0].pk, owner, tenant.rooms[0].pk),
                    *("long", "episode", "public", text, f"{number:064}"),
                    f"[{','.join(f'{x:.5g}' for x in vector.tolist())}]",
                    *("all-MiniLM-L6-v2", DIMENSIONS, 0.5, 0),
                ]
            )
    connection.close()
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as server:
        server.execute("VACUUM (ANALYZE) agentapp_memory")
    return _rows(tenant, persons, owners, vectors, centres, words, rng)


def _rows(
    tenant: Tenant,
    persons: list[int],
    owners: list[int],
    vectors: Floats,
    centres: Floats,
    words: list[str],
    rng: np.random.Generator,
) -> Rows:
    from agentapp.memory.models import Memory

    ids = list(Memory.objects.order_by("text_hash").values_list("pk", flat=True))
    places = {
        person: [n for n, owner in enumerate(owners) if owner == person] for person in persons
    }
    queries = []
    for _ in range(SEARCHES + WARM_UPS):
        person = persons[int(rng.integers(len(persons)))]
        centre = centres[int(rng.integers(CLUSTERS))]
        query = unit(centre + rng.normal(size=DIMENSIONS, scale=0.03))
        said = " ".join(words[place] for place in rng.integers(WORDS, size=WORDS_OF_A_QUESTION))
        queries.append((person, query, said))
    return Rows(
        agent_id=tenant.agents[0].pk,
        room_id=tenant.rooms[0].pk,
        people=persons,
        vectors={person: vectors[where] for person, where in places.items()},
        ids={person: [ids[place] for place in where] for person, where in places.items()},
        queries=queries,
    )


def made_up_words(rng: np.random.Generator) -> list[str]:
    """Return words of 4 to 9 letters, as different from each other as those of a language."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(rng.choice(letters, size=rng.integers(4, 10))) for _ in range(WORDS)]


def unit(values: NDArray[np.floating[Any]]) -> Floats:
    """Return vectors of length 1."""
    lengths = np.linalg.norm(values, axis=-1, keepdims=True)
    found: Floats = (values / lengths).astype(np.float32)
    return found


def report(found: dict[str, dict[str, Measured]]) -> None:
    """Print one table per size and all of it as JSON."""
    for size, ways in found.items():
        print(f"\n{size}\n{'':28}{'recall@5':>10}{'p50 ms':>10}{'p95 ms':>10}")
        for way, one in ways.items():
            print(f"{way:28}{one.recall:>10.3f}{one.p50:>10.2f}{one.p95:>10.2f}")
    flat = {size: {way: vars(one) for way, one in ways.items()} for size, ways in found.items()}
    print(json.dumps(flat))


if __name__ == "__main__":
    main()
