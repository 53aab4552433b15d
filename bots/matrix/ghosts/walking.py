"""Turns the events of one room into batches, in which who comes and goes parts before from after.

Each event was handed over once, for all ghosts. What is said is taken in through one of those
that are there, which is as good as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agentapp.appservices.leases import HeldService
from agentapp.appservices.queries import GhostLogin
from agentapp.foundation.envelope import Place
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.seen import Batch, Invited, Left, RoomNews
from bots.bridge import Bridge
from bots.matrix.backfill import Event
from bots.matrix.errors import Rejected
from bots.matrix.gathering import RoomEvents
from bots.matrix.ghosts.parcels import invite_of, membership_in, subject_of
from bots.matrix.ghosts.rooms import GhostView, load
from bots.matrix.harvest import Harvest, Harvester
from bots.matrix.parse import PLATFORM, time_of
from bots.matrix.recent import Recent
from bots.matrix.rooms import parse_invite
from bots.matrix.settle import Settler
from bots.matrix.transport import Homeserver
from bots.matrix.viewing import Reader

SINCE = "parcels"  # what is read was said while somebody was there


@dataclass
class Walk:
    """What became of one room's events.

    Attributes:
        inside: The ghosts that are in the room after them.
        found: What follows once all is stored.
    """

    inside: dict[str, GhostLogin]
    batches: list[Batch] = field(default_factory=list)
    found: list[Harvest] = field(default_factory=list)


class Walker:
    """Walks through rooms for one application service.

    Args:
        speaks: Returns the requests of one of its ghosts.
    """

    def __init__(
        self, *, held: HeldService, bridge: Bridge, speaks: Callable[[str], Homeserver]
    ) -> None:
        self._held = held
        self._bridge = bridge
        self._speaks = speaks
        self._recent = Recent()
        self._views: dict[str, GhostView] = {}

    async def walk(
        self,
        room_id: str,
        events: Sequence[Event],
        *,
        inside: Iterable[GhostLogin],
        ghosts: Mapping[str, GhostLogin],
    ) -> Walk:
        """Return what a room's events come to.

        Args:
            inside: The ghosts that the record has in the room.
            ghosts: Those that the events name, by user id.

        Raises:
            NotReached, Faltering, Limited: Something that is missing could not be fetched.
        """
        walk, waiting = Walk({one.user_id: one for one in inside}), list[Event]()
        for event in events:
            ghost = ghosts.get(subject_of(event))
            if ghost is None:
                waiting.append(event)
                continue
            await self._said(walk, room_id, waiting)
            waiting = [event]
            await self._moved(walk, room_id, event, ghost)
        await self._said(walk, room_id, waiting)
        return walk

    def forget(self, room_id: str) -> None:
        """Let go of a room in which nobody is any more."""
        self._views.pop(room_id, None)

    async def _moved(self, walk: Walk, room_id: str, event: Event, ghost: GhostLogin) -> None:
        membership, reason = membership_in(event)
        if membership == "join" and ghost.user_id not in walk.inside:
            walk.inside[ghost.user_id] = ghost
            view = await self._view(room_id, ghost)
            since = time_of(event.get("origin_server_ts"))
            news = RoomNews(view.place(), since=since, is_encrypted=view.is_encrypted)
            walk.batches.append(self._batch(ghost, rooms=(news,)))
        elif membership == "invite":
            invite = parse_invite(room_id, invite_of(event), own_id=ghost.user_id)
            if invite is not None:
                at = time_of(event.get("origin_server_ts"))
                invited = Invited(invite.place, invite.by.external_id, at)
                walk.batches.append(self._batch(ghost, invited=(invited,)))
        elif membership in {"leave", "ban"}:
            walk.inside.pop(ghost.user_id, None)
            left = Left(Place(room_id), event.get("sender") != ghost.user_id, reason)
            walk.batches.append(self._batch(ghost, left=(left,)))

    async def _said(self, walk: Walk, room_id: str, events: Sequence[Event]) -> None:
        """Take in what was said, if any ghost was there to hear it."""
        if not events:
            return
        if not walk.inside:
            if room_id in self._views:
                self._views[room_id].take_state(events)
            return
        speaker = next(iter(walk.inside.values()))
        view = await self._view(room_id, speaker)
        view.take_state(events)
        found = Harvest(self._batch(speaker), "")
        harvester = self._harvester(speaker, walk.inside)
        gathered = RoomEvents(view, tuple(events))
        news = await harvester.room(gathered, [], SINCE, found)
        if news is not None:
            walk.batches.append(self._batch(speaker, rooms=(news,)))
        walk.found.append(found)

    async def _view(self, room_id: str, ghost: GhostLogin) -> GhostView:
        """Return what is known of a room, asking about it once."""
        if room_id not in self._views:
            try:
                self._views[room_id] = await load(self._speaks(ghost.user_id), room_id)
            except Rejected:  # it was put out again meanwhile; then the events say what they say
                self._views[room_id] = GhostView(room_id, ghost.user_id)
        return self._views[room_id]

    def _harvester(self, speaker: GhostLogin, inside: Mapping[str, GhostLogin]) -> Harvester:
        server = self._speaks(speaker.user_id)
        account = HeldAccount(
            account_id=speaker.account_id,
            workspace_id=self._held.workspace_id,
            agent_id=speaker.agent_id,
            platform=PLATFORM,
            external_id=speaker.user_id,
            name=speaker.name,
            fence=0,
        )
        return Harvester(
            server=server,
            account=account,
            inside=set(),
            recent=self._recent,
            settler=Settler(
                server=server, bridge=self._bridge, workspace_id=self._held.workspace_id
            ),
            beside={one.user_id: Reader(one.agent_id, one.name) for one in inside.values()},
        )

    def _batch(
        self,
        ghost: GhostLogin,
        *,
        rooms: tuple[RoomNews, ...] = (),
        invited: tuple[Invited, ...] = (),
        left: tuple[Left, ...] = (),
    ) -> Batch:
        return Batch(
            account_id=ghost.account_id,
            fence=0,
            workspace_id=self._held.workspace_id,
            agent_id=ghost.agent_id,
            platform=PLATFORM,
            cursor={},
            rooms=rooms,
            invited=invited,
            left=left,
        )
