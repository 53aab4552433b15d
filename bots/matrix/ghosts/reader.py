"""Takes in what a homeserver hands to an application service: parcel by parcel, in their order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError

from agentapp.appservices import leases
from agentapp.appservices.leases import HeldService
from agentapp.appservices.models import ApplicationService
from agentapp.appservices.parcels import ServiceLost, Waiting, forget_taken, waiting_parcels
from agentapp.appservices.queries import GhostLogin, ghosts_named
from agentapp.commands.services import carry_out
from agentapp.foundation import faults
from agentapp.foundation.errors import AgentError
from agentapp.intake.parcels import accept_parcels
from agentapp.intake.queries import ghosts_inside, ghosts_thinking
from bots.bridge import Bridge
from bots.matrix.backfill import Event
from bots.matrix.errors import Limited
from bots.matrix.ghosts.greeting import greet
from bots.matrix.ghosts.haunting import wire_of
from bots.matrix.ghosts.making import ghost_login
from bots.matrix.ghosts.parcels import by_room, subject_of
from bots.matrix.ghosts.walking import Walk, Walker
from bots.matrix.parse import PLATFORM
from bots.matrix.transport import Homeserver
from bots.typing import Typing

logger = logging.getLogger(__name__)

AT_ONCE = 20  # parcels of one transaction
LOOK_SECONDS = 2.0  # between two looks where no wake-up came
FIRST_WAIT, LAST_WAIT = 0.5, 20.0  # after failures
MOST_DOUBLINGS = 6  # of the first wait; the last one is reached by then
PATIENCE = 5  # failures at one parcel that are of its own making, before it is passed over
GREET_SECONDS, GREET_AGAIN_SECONDS = 60.0, 5.0  # while all is well, and while it is not
FORGET_SECONDS = 3600.0
TYPING_SECONDS, TYPING_RENEW_SECONDS = 30.0, 20.0
MOST_AFTERWARDS = 20  # ghosts that say what they read, or follow, after one round
MOST_COURTESIES = 8  # rounds of which that is under way; of others nothing is said

Health = ApplicationService.Health


class ServiceReader:
    """One application service, as long as this process holds it.

    Args:
        held: The service and its fence.
        wake: Set when something was handed over.
    """

    def __init__(self, held: HeldService, bridge: Bridge, wake: asyncio.Event) -> None:
        self._held = held
        self._service = held.service
        self._bridge = bridge
        self._wake = wake
        self._wire = wire_of(bridge, ghost_login(held.service, ""))
        self._servers: dict[str, Homeserver] = {}
        self._inside: dict[str, dict[str, GhostLogin]] = {}
        self._walker = Walker(held=held, bridge=bridge, speaks=self._speaks)
        self._failures = 0  # in a row, of what passes
        self._odd = 0  # in a row, of what does not
        self._forget_at = 0.0  # monotonic
        self._afterwards: set[asyncio.Task[None]] = set()
        self._typing = Typing[tuple[str, str]](
            thinking=partial(bridge.call, partial(ghosts_thinking, service_id=held.service.id)),
            renew_seconds=TYPING_RENEW_SECONDS,
            show=self._show_typing,
        )

    async def run(self) -> None:
        """Take in whatever comes, until another process holds the service."""
        try:
            async with asyncio.TaskGroup() as group:
                greeting = group.create_task(self._keep_greeting())
                await self._keep_reading()
                greeting.cancel()
        finally:
            self._typing.stop()
            for task in list(self._afterwards):
                task.cancel()

    async def _keep_reading(self) -> None:
        while True:
            self._wake.clear()
            try:
                is_more = await self._round()
            except ServiceLost:
                logger.info("another process takes in what %s is handed", self._service.domain)
                return
            except (AgentError, DatabaseError) as error:
                await self._rest(error)
                continue
            if not is_more:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._wake.wait()

    async def _rest(self, error: Exception) -> None:
        """Wait a while after a failure; nothing was stored, so the same comes again."""
        self._failures += 1
        wait = min(FIRST_WAIT * 2 ** min(self._failures, MOST_DOUBLINGS), LAST_WAIT)
        if isinstance(error, Limited):
            wait = max(wait, error.seconds)
        said = error.code if isinstance(error, AgentError) else type(error).__name__
        logger.warning("parcels of %s wait %.1f s: %s", self._service.domain, wait, said)
        await asyncio.sleep(wait)

    async def _round(self) -> bool:
        """Take in what waits; say whether there may be more."""
        # After such a failure one by one, so that only what is wrong with one is passed over.
        most = AT_ONCE if not self._odd else 1
        waiting = await self._bridge.call(waiting_parcels, service_id=self._service.id, most=most)
        if not waiting:
            await self._forget()
            return False
        try:
            await self._store(waiting, await self._walked(by_room(waiting)))
        except (AgentError, OperationalError, InterfaceError):
            raise
        except Exception:
            # Strangers write what is in it. Whatever it does to us, it does not do it for ever.
            logger.exception("a parcel of %s cannot be taken in", self._service.domain)
            self._odd += 1
            if self._odd <= PATIENCE:
                return True
            await self._store(waiting, {})
        self._failures = self._odd = 0
        return len(waiting) == most

    async def _walked(self, rooms: dict[str, list[Event]]) -> dict[str, Walk]:
        named = {
            user_id
            for events in rooms.values()
            for event in events
            if (user_id := subject_of(event)).startswith(f"@{self._service.prefix}")
        }
        ghosts: dict[str, GhostLogin] = {}
        if named:
            ask = partial(ghosts_named, service_id=self._service.id, user_ids=named)
            ghosts = {one.user_id: one for one in await self._bridge.call(ask)}
        await self._learn_inside(rooms)
        return {
            room_id: await self._walker.walk(
                room_id, events, inside=self._inside[room_id].values(), ghosts=ghosts
            )
            for room_id, events in rooms.items()
        }

    async def _learn_inside(self, rooms: dict[str, list[Event]]) -> None:
        unknown = [room_id for room_id in rooms if room_id not in self._inside]
        if unknown:
            ask = partial(
                ghosts_inside, service_id=self._service.id, platform=PLATFORM, rooms=unknown
            )
            for room_id, ghosts in (await self._bridge.call(ask)).items():
                self._inside[room_id] = {one.user_id: one for one in ghosts}

    async def _store(self, waiting: Sequence[Waiting], walks: dict[str, Walk]) -> None:
        """Store a round whole, and only then go on from it."""
        found = [harvest for walk in walks.values() for harvest in walk.found]
        # A command is carried out once; were the batches first, a crash between would lose it.
        for harvest in found:
            for call in harvest.calls:
                await self._bridge.call(carry_out, call)
        store = partial(
            accept_parcels,
            [batch for walk in walks.values() for batch in walk.batches],
            service_id=self._service.id,
            fence=self._held.fence,
            numbers=[one.number for one in waiting],
        )
        await self._bridge.call(store)
        faults.passing("batch.committed")
        for room_id, walk in walks.items():
            self._inside[room_id] = walk.inside
            if not walk.inside:
                del self._inside[room_id]
                self._walker.forget(room_id)
        if any(harvest.seen for harvest in found):
            self._typing.heard()
        follows = any(harvest.followed for harvest in found)
        if follows or len(self._afterwards) < MOST_COURTESIES:
            task = asyncio.create_task(self._courtesies(walks))
            self._afterwards.add(task)
            task.add_done_callback(self._afterwards.discard)

    async def _courtesies(self, walks: dict[str, Walk]) -> None:
        """Say what was read, go where rooms went. Nothing depends on it."""
        for walk in walks.values():
            ghosts = list(walk.inside)[:MOST_AFTERWARDS]
            seen = [one for harvest in walk.found for one in harvest.seen][-1:]
            for user_id in ghosts:
                for one in seen:
                    with suppress(AgentError):
                        await self._speaks(user_id).read(
                            one.room_id, one.event_id, thread=one.thread
                        )
                for harvest in walk.found:
                    for room_id, via in harvest.followed:
                        with suppress(AgentError):
                            await self._speaks(user_id).join(room_id, via=via)

    async def _keep_greeting(self) -> None:
        """Look whether both sides reach each other, and write down how that is."""
        was_known = False
        while True:
            found = await greet(self._service, self._wire)
            was_known = was_known or found.is_known
            health = Health.OK
            if found.error:
                health = Health.FAILING if was_known else Health.STARTING
            note = partial(
                leases.report,
                service_id=self._service.id,
                fence=self._held.fence,
                health=health,
                error=found.error,
            )
            with suppress(DatabaseError):
                await self._bridge.call(note)
            await asyncio.sleep(GREET_AGAIN_SECONDS if found.error else GREET_SECONDS)

    async def _forget(self) -> None:
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_SECONDS
            await self._bridge.call(forget_taken, service_id=self._service.id)

    def _speaks(self, user_id: str) -> Homeserver:
        """Return the requests of a ghost; connections are shared by all."""
        if user_id not in self._servers:
            login = ghost_login(self._service, user_id)
            self._servers[user_id] = Homeserver(login, wire=self._wire)
        return self._servers[user_id]

    async def _show_typing(self, who: tuple[str, str], on: bool) -> None:
        user_id, room_id = who
        with suppress(AgentError):
            await self._speaks(user_id).set_typing(
                room_id, on=on, seconds=TYPING_SECONDS if on else 0
            )
