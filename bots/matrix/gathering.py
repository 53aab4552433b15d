"""Asks for whatever a sync left out, before any of it is read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bots.matrix.backfill import Event, Missed, after_edge, backfill, events_of
from bots.matrix.errors import Rejected
from bots.matrix.parse import time_of
from bots.matrix.rooms import RoomView
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RoomEvents:
    """What is new in one room, the oldest first.

    Attributes:
        is_repeated: A first sync only says again what is known of it.
        entered_at: When the login came in, as far as these events say it.
        has_moves: Somebody came or went.
    """

    view: RoomView
    events: tuple[Event, ...] = ()
    gap: str = ""
    entered_at: datetime | None = None
    is_repeated: bool = False
    has_moves: bool = False


class Gatherer:
    """Makes whole what one connection is shown.

    Args:
        inside: The rooms that the record already has the login in.
        views: What is known of rooms; a first look adds one.
    """

    def __init__(
        self, *, server: Homeserver, own_id: str, inside: set[str], views: dict[str, RoomView]
    ) -> None:
        self.inside = inside
        self._server = server
        self._own_id = own_id
        self._views = views

    async def room(self, room_id: str, joined: object, since: str) -> RoomEvents:
        """Return what is new in a room.

        Raises:
            Faltering, NotReached, Limited: Something that is missing could not be fetched.
        """
        joined = joined if isinstance(joined, Mapping) else {}
        view = self._views.setdefault(room_id, RoomView(room_id, self._own_id))
        timeline = events_of(joined.get("timeline"))
        state = [*events_of(joined.get("state")), *timeline]
        view.take_summary(joined.get("summary"))
        view.take_state(state)
        missed = await self._missed(room_id, joined, since) if since else Missed(())
        events: Sequence[Event] = [*missed.events, *timeline]
        is_repeated = bool(since) and room_id in self.inside and not events
        if room_id not in self.inside:
            # What was said before it came is none of its business.
            events = after_edge(events, self._is_own_entry)
        moves = (event.get("type") == "m.room.member" for event in [*missed.events, *state])
        return RoomEvents(
            view, tuple(events), missed.gap, self._entered_at(state), is_repeated, any(moves)
        )

    async def _missed(self, room_id: str, joined: Mapping[str, object], since: str) -> Missed:
        """Return what a limited timeline left out."""
        timeline = joined.get("timeline")
        timeline = timeline if isinstance(timeline, Mapping) else {}
        start = timeline.get("prev_batch")
        is_new = room_id not in self.inside
        is_whole = timeline.get("limited") is not True
        if is_whole or not isinstance(start, str):
            return Missed(())
        if is_new and any(self._is_own_entry(event) for event in events_of(timeline)):
            return Missed(())
        edge = self._is_own_entry if is_new else _nowhere
        try:
            return await backfill(self._server, room_id, start=start, end=since, is_edge=edge)
        except Rejected as error:
            # It will never be shown, and waiting for it would hold up everything else for good.
            logger.warning("a gap in a room stays one: %s", error.code)
            return Missed((), gap=f"{since} to {start}")

    def _is_own_entry(self, event: Event) -> bool:
        is_ours = event.get("state_key") == self._own_id
        return event.get("type") == "m.room.member" and is_ours and _enters(event)

    def _entered_at(self, state: Sequence[Event]) -> datetime | None:
        times = [time_of(e.get("origin_server_ts")) for e in state if self._is_own_entry(e)]
        return max((time for time in times if time is not None), default=None)


def _enters(event: Event) -> bool:
    """Say whether a member event is an entry, not a change of a name."""
    content, unsigned = event.get("content"), event.get("unsigned")
    is_join = isinstance(content, Mapping) and content.get("membership") == "join"
    before = unsigned.get("prev_content") if isinstance(unsigned, Mapping) else None
    was_in = isinstance(before, Mapping) and before.get("membership") == "join"
    return is_join and not was_in


def _nowhere(_event: Event) -> bool:
    return False
