"""Turns one answer to a sync into one batch for the engine, asking for what is missing from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from agentapp.commands.registry import parse
from agentapp.commands.shapes import Call
from agentapp.foundation.envelope import AuthorKind, Place
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.seen import Batch, Invited, Left, RoomNews
from bots.matrix.backfill import Event, Missed, after_edge, backfill, events_of
from bots.matrix.errors import Rejected
from bots.matrix.parse import (
    PLATFORM,
    Parsed,
    Said,
    Viewer,
    id_of,
    parse_event,
    short_name,
    time_of,
)
from bots.matrix.recent import Recent
from bots.matrix.rooms import RoomView, parse_departure, parse_invite
from bots.matrix.settle import Settler
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """The last message of others in a room, to say that it was read."""

    room_id: str
    event_id: str
    thread: str


@dataclass
class Harvest:
    """A batch, and what follows once it is stored.

    Attributes:
        entered: Rooms that the login is in.
        followed: Rooms that replaced others, with the server to ask about each.
        calls: The commands that were typed; who looks after a room is known here.
    """

    batch: Batch
    since: str
    seen: list[Seen] = field(default_factory=list)
    entered: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    followed: list[tuple[str, str]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)


class Harvester:
    """Reads the syncs of one connection.

    Args:
        inside: The rooms that the record already has the login in.
        settler: Finds out what changes of unknown things mean.
    """

    def __init__(
        self,
        *,
        server: Homeserver,
        account: HeldAccount,
        inside: set[str],
        recent: Recent,
        settler: Settler,
    ) -> None:
        self.inside = inside
        self.views: dict[str, RoomView] = {}
        self._server = server
        self._account = account
        self._viewer = Viewer(account.workspace_id, account.external_id)
        self._recent = recent
        self._settler = settler

    async def read(self, answer: Mapping[str, object], *, since: str) -> Harvest:
        """Return what an answer holds.

        Args:
            answer: As it came.
            since: The token that was asked from; "" at the first sync ever, whose messages were
                said before anybody was here.

        Raises:
            Faltering, NotReached, Limited: Something that is missing could not be fetched.
        """
        rooms = answer.get("rooms")
        parts = {
            part: _by_room(rooms.get(part) if isinstance(rooms, Mapping) else None)
            for part in ("join", "invite", "leave")
        }
        following = str(answer["next_batch"])
        found = Harvest(self._batch(following), following)
        news = [
            await self._room(room_id, joined, since, found)
            for room_id, joined in parts["join"].items()
        ]
        invites = [
            parse_invite(room_id, one, own_id=self._viewer.user_id)
            for room_id, one in parts["invite"].items()
        ]
        found.batch = self._batch(
            following,
            rooms=tuple(one for one in news if one is not None),
            invited=tuple(Invited(one.place, one.by.external_id) for one in invites if one),
            left=self._departures(parts["leave"], found) if since else (),
        )
        return found

    def _batch(
        self,
        following: str,
        *,
        rooms: tuple[RoomNews, ...] = (),
        invited: tuple[Invited, ...] = (),
        left: tuple[Left, ...] = (),
    ) -> Batch:
        return Batch(
            account_id=self._account.account_id,
            fence=self._account.fence,
            workspace_id=self._account.workspace_id,
            agent_id=self._account.agent_id,
            platform=PLATFORM,
            cursor={"since": following},
            rooms=rooms,
            invited=invited,
            left=left,
        )

    def _departures(self, left: Mapping[str, object], found: Harvest) -> tuple[Left, ...]:
        departures = []
        for room_id, one in left.items():
            departure = parse_departure(room_id, one, own_id=self._viewer.user_id)
            if departure is not None:
                self.views.pop(room_id, None)
                found.gone.add(room_id)
                place = Place(room_id)
                departures.append(Left(place, departure.is_removed, departure.reason))
        return tuple(departures)

    async def _room(
        self, room_id: str, joined: object, since: str, found: Harvest
    ) -> RoomNews | None:
        """Return what is new in a room; None where a first sync only repeats what is known."""
        joined = joined if isinstance(joined, Mapping) else {}
        view = self.views.setdefault(room_id, RoomView(room_id, self._viewer.user_id))
        timeline = events_of(joined.get("timeline"))
        state = [*events_of(joined.get("state")), *timeline]
        view.take_summary(joined.get("summary"))
        view.take_state(state)
        found.entered.add(room_id)
        missed = Missed(())
        if since:
            missed = await self._missed(room_id, joined, since)
        events = [*missed.events, *timeline]
        if since and room_id in self.inside and not events:
            return None
        if room_id not in self.inside:
            # What was said before it came is none of its business.
            events = after_edge(events, self._is_own_entry)
        if view.successor and any(e.get("type") == "m.room.tombstone" for e in events):
            found.followed.append((view.successor, view.successor_via))
        parsed = self._parsed(view, events) if since and not view.is_space else []
        parsed = [self._heard(view, one, found) for one in parsed]
        self._note_seen(room_id, parsed, found)
        return RoomNews(
            place=view.place(),
            items=tuple(await self._settler.items(room_id, parsed)),
            since=self._entered_at(state),
            is_encrypted=view.is_encrypted,
            is_gone=view.is_gone,
            gap=missed.gap,
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
        is_ours = event.get("state_key") == self._viewer.user_id
        return event.get("type") == "m.room.member" and is_ours and _enters(event)

    def _entered_at(self, state: Sequence[Event]) -> datetime | None:
        times = [time_of(e.get("origin_server_ts")) for e in state if self._is_own_entry(e)]
        return max((time for time in times if time is not None), default=None)

    def _parsed(self, view: RoomView, events: Sequence[Event]) -> list[Parsed]:
        place, found = view.place(), []
        for event in events:
            parsed = parse_event(event, viewer=self._viewer, place=place, names=view.names)
            self._recent.note(event, parsed)
            if parsed is not None:
                found.append(parsed)
        return found

    def _heard(self, view: RoomView, one: Parsed, found: Harvest) -> Parsed:
        """Return what was parsed; commands and what bridges' bots say are not answered."""
        if not isinstance(one, Said):
            return one
        call = self._call(view, one)
        if call is not None:
            found.calls.append(call)
            return replace(one, is_notice=True)
        author = one.incoming.author
        if author.external_id not in view.bridge_bots:
            return one
        bot = replace(author, kind=AuthorKind.BOT)
        return replace(one, incoming=replace(one.incoming, author=bot), is_notice=True)

    def _call(self, view: RoomView, said: Said) -> Call | None:
        """Return the command that a message is; every login that reads it hands over the same."""
        incoming, own = said.incoming, self._viewer.user_id
        by = incoming.author.external_id
        if said.is_notice or by == own:
            return None
        answered = self._recent.known(incoming.reply_to)
        place, agent_id = view.place(), self._account.agent_id
        names = (own, short_name(own), view.names.get(own, ""), self._account.name)
        parsed = parse(
            incoming.text,
            names=dict.fromkeys(names, agent_id),
            mentioned=[agent_id] if own in incoming.mentions else [],
            is_addressed=place.kind == "direct" or (answered and answered.sender) == own,
            is_moderator=view.is_moderator(by),
        )
        if parsed is None:
            return None
        return Call(
            workspace_id=self._viewer.workspace_id,
            platform=PLATFORM,
            place=place,
            author=incoming.author,
            command=parsed.command.name,
            external_id=incoming.external_id,
            options=parsed.options,
            target=incoming.reply_to,
            called=parsed.called,
            mentions=incoming.mentions,
            is_moderator=view.is_moderator(by),
            at=incoming.sent_at,
        )

    def _note_removed(self, room_id: str, parsed: Sequence[Parsed]) -> None:
        """Let go of what was removed before it could be read."""
        for one in parsed:
            if isinstance(one, TakenBack) and self._crypt is not None:
                self._crypt.ring.removed(room_id, one.target)

    def _note_seen(self, room_id: str, parsed: Sequence[Parsed], found: Harvest) -> None:
        own = self._viewer.user_id
        said = [
            one
            for one in parsed
            if isinstance(one, Said) and one.incoming.author.external_id != own
        ]
        if said:
            found.seen.append(Seen(room_id, said[-1].incoming.external_id, said[-1].thread))


def _by_room(section: object) -> dict[str, object]:
    """Return a part of a sync by room; what is no room's id is left out."""
    if not isinstance(section, Mapping):
        return {}
    return {room_id: one for room_id, one in section.items() if id_of(room_id, "!")}


def _enters(event: Event) -> bool:
    """Say whether a member event is an entry, not a change of a name."""
    content, unsigned = event.get("content"), event.get("unsigned")
    is_join = isinstance(content, Mapping) and content.get("membership") == "join"
    before = unsigned.get("prev_content") if isinstance(unsigned, Mapping) else None
    was_in = isinstance(before, Mapping) and before.get("membership") == "join"
    return is_join and not was_in


def _nowhere(_event: Event) -> bool:
    return False
