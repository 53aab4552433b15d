"""Fetches what a sync left out of a room's timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bots.matrix.transport import Homeserver

MOST_EVENTS = 2_000  # of one gap; what is older is noted as lost
PAGE = 100  # events

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Missed:
    """The events of a gap, the oldest first; `gap` says where older ones are missing for good."""

    events: tuple[Event, ...]
    gap: str = ""


async def backfill(
    server: Homeserver,
    room_id: str,
    *,
    start: str,
    end: str,
    is_edge: Callable[[Event], bool],
) -> Missed:
    """Return what happened in a room between two of its tokens.

    Args:
        start: Where the timeline that came begins.
        end: Where the last one ended; "" when there was none.
        is_edge: Says of an event that nothing before it counts. It is returned as the first one.

    Raises:
        Faltering: A page did not come. With a part of them nothing may be stored: the hole would
            never be seen again.
    """
    found: list[Event] = []
    while start:
        page = await server.messages(room_id, start=start, end=end, limit=PAGE)
        chunk = page.get("chunk")
        events = [one for one in chunk if isinstance(one, dict)] if isinstance(chunk, list) else []
        for event in events:
            found.append(event)
            if is_edge(event):
                return Missed(tuple(reversed(found)))
        following = page.get("end")
        if not events or not isinstance(following, str) or following == start:
            break
        if len(found) >= MOST_EVENTS:
            return Missed(tuple(reversed(found)), gap=f"{end} to {following}")
        start = following
    return Missed(tuple(reversed(found)))


def events_of(section: object, name: str = "events") -> list[Event]:
    """Return the events of a part of a sync; whatever is no event is left out."""
    listed = section.get(name) if isinstance(section, Mapping) else None
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def after_edge(events: Sequence[Event], is_edge: Callable[[Event], bool]) -> list[Event]:
    """Return what follows the last edge among events; all of them when there is none."""
    for index in range(len(events) - 1, -1, -1):
        if is_edge(events[index]):
            return list(events[index + 1 :])
    return list(events)
