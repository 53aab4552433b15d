"""Reads what a homeserver handed over. Nothing of it is trusted to be of its type."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence

from agentapp.appservices.parcels import Waiting
from bots.matrix.backfill import Event, events_of
from bots.matrix.parse import id_of, user_of

logger = logging.getLogger(__name__)


def by_room(parcels: Iterable[Waiting]) -> dict[str, list[Event]]:
    """Return the events of parcels by room, in the order in which they came."""
    found: dict[str, list[Event]] = {}
    for parcel in parcels:
        for event in _events(parcel):
            room_id = id_of(event.get("room_id"), "!")
            if room_id:
                found.setdefault(room_id, []).append(event)
    return found


def _events(parcel: Waiting) -> list[Event]:
    try:
        said = json.loads(parcel.content)
    except (ValueError, RecursionError):
        logger.warning("a transaction of a homeserver cannot be read, and is passed over")
        return []
    return events_of(said)


def subject_of(event: Event) -> str:
    """Return the user whose coming or going an event is; "" where it is something else."""
    return user_of(event.get("state_key")) if event.get("type") == "m.room.member" else ""


def membership_in(event: Event) -> tuple[str, str]:
    """Return what a member event makes of its user, and the reason that was given."""
    content = event.get("content")
    content = content if isinstance(content, Mapping) else {}
    membership, reason = content.get("membership"), content.get("reason")
    return (
        membership if isinstance(membership, str) else "",
        reason if isinstance(reason, str) else "",
    )


def invite_of(event: Event) -> dict[str, object]:
    """Return an invitation in the shape in which syncs show it: what is known of the room first."""
    unsigned = event.get("unsigned")
    told = unsigned.get("invite_room_state") if isinstance(unsigned, Mapping) else None
    known: Sequence[object] = told if isinstance(told, list) else []
    return {"invite_state": {"events": [*known, event]}}
