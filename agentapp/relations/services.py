"""Writes of what is between agents and people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from agentapp.events import services as events
from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.prepared import Change, prepared_update
from agentapp.identity.models import Identity, Person, Room
from agentapp.relations import queries, rules
from agentapp.relations.models import Quiet, Relationship

BATCH = 200  # quiets whose end is written at once


@dataclass(frozen=True, slots=True)
class Exchange:
    """An agent's answer to a person who spoke to it."""

    workspace_id: int
    agent_id: int
    person_id: int
    is_monologue: bool


@transaction.atomic(savepoint=False)
def touch(exchanges: Sequence[Exchange]) -> None:
    """Note that agents answered people; trust grows by at most 3 a day.

    Call it once per answered turn, in the transaction that ends the turn, and never for a
    try-out. Writes: Relationship, Event `relationship.changed`.
    """
    if not exchanges:
        return
    rows = _locked(exchanges)
    now = clock.now()
    told = []
    for each in exchanges:
        row = rows[each.agent_id, each.person_id]
        after = rules.after_exchange(queries.bond_of(row), now=now, is_monologue=each.is_monologue)
        row.trust, row.gained_today, row.gained_on = (
            after.trust,
            after.gained_today,
            after.gained_on,
        )
        row.exchanges, row.last_contact_at = after.exchanges, after.last_contact_at
        told.append(_changed(row))
    _set.many([_columns(row) for row in rows.values()])
    events.record_many(told)


def _locked(exchanges: Sequence[Exchange]) -> dict[tuple[int, int], Relationship]:
    """Lock the bonds in one order everywhere, making those that are new."""
    pairs = {(each.agent_id, each.person_id): each.workspace_id for each in exchanges}
    calls = [{"agent_id": agent, "person_id": person} for agent, person in sorted(pairs)]
    found = queries.locked.first_of_each(calls)
    if None in found:
        Relationship.objects.bulk_create(
            [
                Relationship(workspace_id=pairs[pair], agent_id=pair[0], person_id=pair[1])
                for pair in sorted(pairs)
            ],
            ignore_conflicts=True,
        )
        found = queries.locked.first_of_each(calls)
    return {(row.agent_id, row.person_id): row for row in found if row is not None}


def _columns(row: Relationship) -> dict[str, object]:
    return {
        "row_id": row.pk,
        "trust": row.trust,
        "gained_today": row.gained_today,
        "gained_on": row.gained_on,
        "exchanges": row.exchanges,
        "last_contact_at": row.last_contact_at,
    }


def _changed(row: Relationship) -> Event:
    return events.made(
        type="relationship.changed",
        subject_kind="relationship",
        subject_id=row.pk,
        workspace_id=row.workspace_id,
        agent_id=row.agent_id,
        payload={"trust": round(row.trust, 2), "level": rules.level(row.trust)},
    )


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


@transaction.atomic
def begin_quiet(*, room: Room, person: Person | None, until: datetime | None, by: Identity) -> None:
    """Let no agent answer or mention a person in a room, or without a person anybody.

    It replaces what held before. Writes: Quiet, Event `quiet.begun`.
    """
    Quiet.objects.update_or_create(
        workspace_id=room.workspace_id,
        room=room,
        person=person,
        defaults={"until": until, "by": by},
    )
    _tell_quiet("begun", room, person, by)


@transaction.atomic
def end_quiet(*, room: Room, person: Person | None, by: Identity) -> bool:
    """Take a quiet back; say whether one held. Writes: Quiet, Event `quiet.ended`."""
    held = Quiet.objects.filter(room=room, person=person)
    ended = [row for row in held.select_for_update() if _holds(row)]
    held.delete()
    if ended:
        _tell_quiet("ended", room, person, by)
    return bool(ended)


@transaction.atomic
def expire_quiets() -> int:
    """Let go of quiets whose time is over; they hold no more already. Returns how many.

    Writes: Quiet, Event `quiet.ended`.
    """
    over = list(
        Quiet.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("room", "person")
        .filter(until__lte=clock.now())
        .order_by("pk")[:BATCH]
    )
    Quiet.objects.filter(pk__in=[row.pk for row in over]).delete()
    for row in over:
        _tell_quiet("ended", row.room, row.person, None)
    return len(over)


def _holds(row: Quiet) -> bool:
    return row.until is None or row.until > clock.now()


def _tell_quiet(what: str, room: Room, person: Person | None, by: Identity | None) -> None:
    events.record(
        type=f"quiet.{what}",
        subject_kind="person" if person else "room",
        subject_id=person.pk if person else room.pk,
        workspace_id=room.workspace_id,
        room_id=room.pk,
        payload={"by_handle": by.pk if by else None},
    )
