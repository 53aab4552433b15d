"""Writes of what is between agents and people."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from agentapp.events import services as events
from agentapp.foundation import clock
from agentapp.foundation.prepared import Change, prepared_update
from agentapp.relations import queries, rules
from agentapp.relations.models import Relationship


@transaction.atomic(savepoint=False)
def touch(*, workspace_id: int, agent_id: int, person_id: int, is_monologue: bool) -> Relationship:
    """Note that an agent answered a person; trust grows by at most 3 a day.

    Call it once per answered turn, in the transaction that ends the turn, and never for a
    try-out. Writes: Relationship, Event `relationship.changed`.
    """
    row = queries.locked.first(agent_id=agent_id, person_id=person_id)
    if row is None:
        Relationship.objects.bulk_create(
            [Relationship(workspace_id=workspace_id, agent_id=agent_id, person_id=person_id)],
            ignore_conflicts=True,
        )
        row = queries.locked.get(agent_id=agent_id, person_id=person_id)
    before = queries.bond_of(row)
    after = rules.after_exchange(before, now=clock.now(), is_monologue=is_monologue)
    row.trust, row.gained_today, row.gained_on = after.trust, after.gained_today, after.gained_on
    row.exchanges, row.last_contact_at = after.exchanges, after.last_contact_at
    _set(
        row_id=row.pk,
        trust=after.trust,
        gained_today=after.gained_today,
        gained_on=after.gained_on,
        exchanges=after.exchanges,
        last_contact_at=after.last_contact_at,
    )
    events.record(
        type="relationship.changed",
        subject_kind="relationship",
        subject_id=row.pk,
        workspace_id=workspace_id,
        agent_id=agent_id,
        payload={"trust": round(after.trust, 2), "level": rules.level(after.trust)},
    )
    return row


@prepared_update
def _set(
    row_id: int,
    trust: float,
    gained_today: float,
    gained_on: date | None,
    exchanges: int,
    last_contact_at: datetime | None,
) -> Change:
    return Relationship.objects.filter(pk=row_id), {
        "trust": trust,
        "gained_today": gained_today,
        "gained_on": gained_on,
        "exchanges": exchanges,
        "last_contact_at": last_contact_at,
    }
