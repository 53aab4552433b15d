"""Reads of what is between agents and people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from django.db.models import QuerySet

from agentapp.foundation.prepared import planned, prepared
from agentapp.relations.models import Relationship
from agentapp.relations.rules import Bond, LeftAlone

# Who is stopped is told twice: where they are in these rooms, so that nobody mentions them, and
# among these people, wherever they are. Few are stopped and rooms are large: what is looked at
# first is not left to the planner, which knows neither while a table is young.
LEFT_ALONE = """
SELECT quiet.room_id, quiet.person_id, handle.name, handle.external_id, false
FROM agentapp_quiet quiet LEFT JOIN agentapp_identity handle ON handle.person_id = quiet.person_id
WHERE quiet.room_id = ANY(%(rooms)s::bigint[])
    AND (quiet.until IS NULL OR quiet.until > (SELECT greenroom_now()))
UNION ALL
SELECT here.room_id, person.id, handle.name, handle.external_id, false
FROM agentapp_person person
CROSS JOIN LATERAL (
    SELECT id, name, external_id FROM agentapp_identity
    WHERE person_id = person.id OFFSET 0) handle
CROSS JOIN LATERAL (
    SELECT room_id FROM agentapp_participant
    WHERE identity_id = handle.id AND room_id = ANY(%(rooms)s::bigint[]) OFFSET 0) here
WHERE person.stopped_at IS NOT NULL
UNION ALL
SELECT NULL, person.id, '', '', false
FROM agentapp_person person
WHERE person.id = ANY(%(people)s::bigint[]) AND person.stopped_at IS NOT NULL
UNION ALL
SELECT room.id, handle.person_id, '', '', true
FROM agentapp_identity handle
CROSS JOIN LATERAL (
    SELECT group_id FROM agentapp_stay
    WHERE identity_id = handle.id AND left_at IS NOT NULL OFFSET 0) gone
JOIN agentapp_room room ON room.id = ANY(%(rooms)s::bigint[])
    AND room.platform = handle.platform AND room.group_id = gone.group_id
WHERE handle.person_id = ANY(%(people)s::bigint[])
"""


def bond_of(row: Relationship) -> Bond:
    """Return a row as the rules see it."""
    return Bond(
        trust=row.trust,
        gained_today=row.gained_today,
        gained_on=row.gained_on,
        exchanges=row.exchanges,
        last_contact_at=row.last_contact_at,
    )


def bonds_of(asked: Sequence[tuple[int, Collection[int]]]) -> list[dict[int, Bond]]:
    """Return bonds by person for (agent id, person ids); unknown people are missing. One query."""
    found = _rows.many(
        [{"agent_id": agent_id, "person_ids": list(people)} for agent_id, people in asked]
    )
    return [{row.person_id: bond_of(row) for row in rows} for rows in found]


@prepared
def _rows(agent_id: int, person_ids: list[int]) -> QuerySet[Relationship]:
    return Relationship.objects.filter(agent_id=agent_id, person_id__any=person_ids)


@prepared
def locked(agent_id: int, person_id: int) -> QuerySet[Relationship]:
    """Lock the bond of an agent and a person, inside a transaction; one query."""
    return Relationship.objects.select_for_update(no_key=True).filter(
        agent_id=agent_id, person_id=person_id
    )


def left_alone(*, rooms: Iterable[int], people: Iterable[int | None]) -> LeftAlone:
    """Return who wants to be left alone in these rooms, and which of these people do anywhere.

    Also which of these people have left the server that a room is part of. One statement.
    """
    with planned() as cursor:
        cursor.execute(
            LEFT_ALONE,
            {"rooms": sorted(set(rooms)), "people": sorted({pk for pk in people if pk})},
        )
        rows = cursor.fetchall()
    here: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    gone: dict[int, set[int]] = defaultdict(set)
    for room_id, person_id, name, handle, has_left in rows:
        if has_left:
            gone[room_id].add(person_id)
        elif room_id and person_id:
            here[room_id][person_id] |= {name, handle} - {None, ""}
    return LeftAlone(
        gone={room_id: frozenset(people) for room_id, people in gone.items()},
        rooms=frozenset(room_id for room_id, person_id, *_ in rows if room_id and not person_id),
        here={
            room_id: {pk: frozenset(names) for pk, names in of.items()}
            for room_id, of in here.items()
        },
        stopped=frozenset(person_id for room_id, person_id, *_ in rows if not room_id),
    )
