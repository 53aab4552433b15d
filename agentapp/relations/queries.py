"""Reads of what is between agents and people."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db.models import QuerySet

from agentapp.foundation.prepared import prepared
from agentapp.relations.models import Relationship
from agentapp.relations.rules import Bond


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
