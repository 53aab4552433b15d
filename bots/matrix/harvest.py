"""Turns one answer to a sync into one batch for the engine, asking for what is missing from it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from agentapp.commands.shapes import Call
from agentapp.foundation.envelope import AuthorKind, Place
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.seen import Batch, Invited, Left, RoomNews
from bots.matrix.backfill import Event
from bots.matrix.crypt.machine import Crypt
from bots.matrix.crypt.reading import Late
from bots.matrix.gathering import Gatherer, RoomEvents
from bots.matrix.parse import PLATFORM, Parsed, Said, TakenBack, id_of, parse_event
from bots.matrix.recent import Recent
from bots.matrix.rooms import RoomView, parse_departure, parse_invite
from bots.matrix.settle import Settler
from bots.matrix.transport import Homeserver
from bots.matrix.typed import call_in
from bots.matrix.viewing import Reader, Viewer

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
        crypt: Reads what is encrypted; None where the owner has not turned that on.
        beside: Other agents for which this login reads along, by user id.
    """

    def __init__(
        self,
        *,
        server: Homeserver,
        account: HeldAccount,
        inside: set[str],
        recent: Recent,
        settler: Settler,
        crypt: Crypt | None = None,
        beside: Mapping[str, Reader] | None = None,
    ) -> None:
        self.inside = inside
        self.views: dict[str, RoomView] = {}
        self._account = account
        own = {account.external_id: Reader(account.agent_id, account.name)}
        self._viewer = Viewer(account.workspace_id, account.external_id, {**own, **(beside or {})})
        self._recent = recent
        self._settler = settler
        self._crypt = crypt
        self._gatherer = Gatherer(
            server=server, own_id=account.external_id, inside=inside, views=self.views
        )

    async def read(self, answer: Mapping[str, object], *, since: str) -> Harvest:
        """Return what an answer holds, gathered and harvested."""
        return await self.harvest(answer, await self.gather(answer, since=since), since=since)

    async def gather(self, answer: Mapping[str, object], *, since: str) -> dict[str, RoomEvents]:
        """Return what is new in rooms, with what was missing from the answer.

        Args:
            answer: As it came.
            since: The token that was asked from; "" at the first sync ever, whose messages were
                said before anybody was here.

        Raises:
            Faltering, NotReached, Limited: Something that is missing could not be fetched.
        """
        return {
            room_id: await self._gatherer.room(room_id, joined, since)
            for room_id, joined in _part(answer, "join").items()
        }

    async def harvest(
        self, answer: Mapping[str, object], gathered: Mapping[str, RoomEvents], *, since: str
    ) -> Harvest:
        """Return the batch of an answer. With encryption this is inside a turn of its keys."""
        following = str(answer["next_batch"])
        found = Harvest(self._batch(following), following)
        late = await self._late(answer)
        news = [
            await self.room(one, late.pop(room_id, []), since, found)
            for room_id, one in gathered.items()
        ]
        for room_id, events in late.items():
            view = self.views.get(room_id)
            self._let_go(events)
            if view is not None:
                news.append(await self.room(RoomEvents(view), events, since, found))
        invites = [
            parse_invite(room_id, one, own_id=self._viewer.user_id)
            for room_id, one in _part(answer, "invite").items()
        ]
        found.batch = self._batch(
            following,
            rooms=tuple(one for one in news if one is not None),
            invited=tuple(Invited(one.place, one.by.external_id) for one in invites if one),
            left=self._departures(_part(answer, "leave"), found) if since else (),
        )
        return found

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Harvest one answer and store it. If it is not stored, its keys were not changed."""
        if self._crypt is None:
            yield
            return
        async with self._crypt.turn():
            yield

    def stored(self) -> None:
        """Note that a harvest's batch stands in the record."""
        if self._crypt is not None:
            self._crypt.ring.stored()

    def has_keys_waiting(self) -> bool:
        """Say whether something has to be told about keys."""
        return self._crypt is not None and self._crypt.has_work()

    async def look_after_keys(self) -> None:
        """Tell of keys what has to be told."""
        if self._crypt is not None:
            await self._crypt.afterwards()

    async def _late(self, answer: Mapping[str, object]) -> dict[str, list[Late]]:
        """Take in keys; return what can be read with them that came before."""
        if self._crypt is None:
            return {}
        return await self._crypt.reader.late(await self._crypt.reader.take_in(answer))

    def _let_go(self, late: Sequence[Late]) -> None:
        for one in late:
            if self._crypt is not None:
                self._crypt.ring.done(one.number)

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
            reads_encrypted=self._crypt is not None,
            keys=self._crypt.ring.changes() if self._crypt is not None else None,
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

    async def room(
        self, gathered: RoomEvents, late: Sequence[Late], since: str, found: Harvest
    ) -> RoomNews | None:
        """Return what is new in a room; None where a first sync only repeats what is known."""
        view = gathered.view
        found.entered.add(view.room_id)
        if self._crypt is not None and (gathered.has_moves or gathered.gap):
            self._crypt.writer.members_changed(view.room_id)
        if gathered.is_repeated and not late:
            return None
        self._let_go(late)
        events = [*(one.event for one in late), *await self._opened(gathered, since)]
        if view.successor and any(e.get("type") == "m.room.tombstone" for e in events):
            found.followed.append((view.successor, view.successor_via))
        parsed = self._parsed(view, events) if since and not view.is_space else []
        parsed = [self._heard(view, one, found) for one in parsed]
        self._note_seen(view.room_id, parsed, found)
        self._note_removed(view.room_id, parsed)
        return RoomNews(
            place=view.place(),
            items=tuple(await self._settler.items(view.room_id, parsed)),
            since=gathered.entered_at,
            is_encrypted=view.is_encrypted,
            is_gone=view.is_gone,
            gap=gathered.gap,
        )

    async def _opened(self, gathered: RoomEvents, since: str) -> Sequence[Event]:
        """Return a room's events, in plain as far as that is possible."""
        if self._crypt is None or not since:
            return gathered.events
        return await self._crypt.opened(gathered.view.room_id, gathered.events)

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
        call = call_in(view, one, viewer=self._viewer, recent=self._recent)
        if call is not None:
            found.calls.append(call)
            return replace(one, is_notice=True)
        author = one.incoming.author
        if author.external_id not in view.bridge_bots:
            return one
        bot = replace(author, kind=AuthorKind.BOT)
        return replace(one, incoming=replace(one.incoming, author=bot), is_notice=True)

    def _note_removed(self, room_id: str, parsed: Sequence[Parsed]) -> None:
        """Let go of what was removed before it could be read."""
        for one in parsed:
            if isinstance(one, TakenBack) and self._crypt is not None:
                self._crypt.ring.removed(room_id, one.target)

    def _note_seen(self, room_id: str, parsed: Sequence[Parsed], found: Harvest) -> None:
        own = self._viewer.own()
        said = [
            one
            for one in parsed
            if isinstance(one, Said) and one.incoming.author.external_id not in own
        ]
        if said:
            found.seen.append(Seen(room_id, said[-1].incoming.external_id, said[-1].thread))


def _part(answer: Mapping[str, object], name: str) -> dict[str, object]:
    """Return a part of a sync by room; what is no room's id is left out."""
    rooms = answer.get("rooms")
    section = rooms.get(name) if isinstance(rooms, Mapping) else None
    if not isinstance(section, Mapping):
        return {}
    return {room_id: one for room_id, one in section.items() if id_of(room_id, "!")}
