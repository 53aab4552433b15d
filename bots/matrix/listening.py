"""Reads along on a homeserver: each sync is stored before the next one is asked for."""

from __future__ import annotations

import asyncio
import logging
import random
import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from agentapp.commands.services import carry_out
from agentapp.foundation import faults
from agentapp.foundation.errors import AgentError
from agentapp.intake.batches import accept_batch
from bots.bridge import Bridge
from bots.matrix.crypt.ring import unbroken
from bots.matrix.errors import Faltering, Limited, NotReached
from bots.matrix.harvest import Harvest, Harvester
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)

POLL_SECONDS = 30.0  # of one long poll
PATIENCE = 3  # failures in a row before the host is told and takes over the waiting
FIRST_WAIT, LAST_WAIT = 1.0, 10.0  # seconds between those
AT_ONCE = 8  # first syncs of all logins of a process
MOST_AFTERWARDS = 20  # receipts sent after one sync

_TIMELINE: dict[str, object] = {
    "presence": {"types": []},
    "account_data": {"types": []},
    "room": {
        "timeline": {"limit": 100},
        "state": {"lazy_load_members": True, "include_redundant_members": True},
        "ephemeral": {"types": []},
        "account_data": {"types": []},
    },
}
_FIRST: dict[str, object] = {
    **_TIMELINE,
    "room": {**_TIMELINE["room"], "timeline": {"limit": 1}},  # type: ignore[dict-item]
}
_gates: weakref.WeakKeyDictionary[Bridge, asyncio.Semaphore] = weakref.WeakKeyDictionary()


class Listener:
    """One connection's syncs.

    Args:
        harvester: Turns each into a batch.
    """

    def __init__(self, *, server: Homeserver, bridge: Bridge, harvester: Harvester) -> None:
        self._server = server
        self._bridge = bridge
        self._harvester = harvester
        self._rng = random.Random()  # noqa: S311  (spreads retries, guards nothing)
        self._afterwards: set[asyncio.Task[None]] = set()

    async def harvests(self, since: str) -> AsyncIterator[Harvest]:
        """Yield every sync once it is stored.

        Args:
            since: Where the record stands; "" when nothing was read yet.

        Raises:
            LoginLost: At once. NotReached, Faltering: After some patience.
        """
        is_first, failures = True, 0
        while True:
            try:
                harvest = await self._next(since, is_first=is_first)
            except Limited as limited:
                await asyncio.sleep(limited.seconds * self._rng.uniform(1.0, 1.3))
                continue
            except (NotReached, Faltering):
                failures += 1
                if failures >= PATIENCE:
                    raise
                wait = min(FIRST_WAIT * 2**failures, LAST_WAIT)
                await asyncio.sleep(wait * self._rng.uniform(0.7, 1.3))
                continue
            since, is_first, failures = harvest.since, False, 0
            self._harvester.inside |= harvest.entered
            self._harvester.inside -= harvest.gone
            self._afterwards_do(harvest)
            yield harvest

    async def stop(self) -> None:
        """End what follows syncs."""
        await ended(*self._afterwards)

    async def _next(self, since: str, *, is_first: bool) -> Harvest:
        """Wait for news and return them with what was missing; all rooms at a first one."""
        if not is_first:
            answer = await self._server.sync(
                since=since, wait_seconds=POLL_SECONDS, full_state=False, filter_=_TIMELINE
            )
            return await self._taken_in(answer, since)
        async with _gates.setdefault(self._bridge, asyncio.Semaphore(AT_ONCE)):
            answer = await self._server.sync(
                since=since,
                wait_seconds=0,
                full_state=True,
                filter_=_TIMELINE if since else _FIRST,
            )
            return await self._taken_in(answer, since)

    async def _taken_in(self, answer: dict[str, Any], since: str) -> Harvest:
        """Store a sync, with what was missing from it and with the keys that it changed."""
        gathered = await self._harvester.gather(answer, since=since)
        async with self._harvester.turn():
            harvest = await self._harvester.harvest(answer, gathered, since=since)
            # A command is carried out once; were the batch first, a crash between would lose it.
            for call in harvest.calls:
                await self._bridge.call(carry_out, call)
            await unbroken(self._bridge.call(accept_batch, harvest.batch))
            faults.passing("batch.committed")
            self._harvester.stored()
        return harvest

    def _afterwards_do(self, harvest: Harvest) -> None:
        if harvest.seen or harvest.followed or self._harvester.has_keys_waiting():
            task = asyncio.create_task(self._courtesies(harvest))
            self._afterwards.add(task)
            task.add_done_callback(self._afterwards.discard)

    async def _courtesies(self, harvest: Harvest) -> None:
        """Say what was read, go where rooms went, show new keys. Nothing depends on it."""
        for seen in harvest.seen[:MOST_AFTERWARDS]:
            with suppress(AgentError):
                await self._server.read(seen.room_id, seen.event_id, thread=seen.thread)
        for room_id, via in harvest.followed[:MOST_AFTERWARDS]:
            try:
                await self._server.join(room_id, via=via)
            except AgentError as error:
                logger.info("a room's successor cannot be entered: %s", error.code)
        await self._harvester.look_after_keys()


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait until they are over, whatever became of them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
