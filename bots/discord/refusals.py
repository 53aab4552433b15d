"""One breaker for all bots of a host: Discord blocks whole addresses that ask for too much.

It does so at ten thousand refused requests (401, 403, 429) in ten minutes. All processes count
into the database, and all rest at a tenth of that.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
import weakref
from collections import Counter
from functools import partial

from django.db import Error as DatabaseError

from agentapp.identity.services.connections import note_refusals
from bots.bridge import Bridge
from bots.discord.errors import HostPaused
from bots.discord.parse import PLATFORM

logger = logging.getLogger(__name__)

MOST = 1_000  # of all bots, in ten minutes
PAUSE_SECONDS = 60.0  # between two looks whether it is over
GATHER_SECONDS = 1.0

_of_bridge: weakref.WeakKeyDictionary[Bridge, Refusals] = weakref.WeakKeyDictionary()


class Refusals:
    """The refused requests of one process."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = weakref.ref(bridge)
        self._counts: Counter[uuid.UUID] = Counter()
        self._writing: asyncio.Task[None] | None = None
        self._paused_until = 0.0  # monotonic

    @classmethod
    def of(cls, bridge: Bridge) -> Refusals:
        """Return the one of a process."""
        return _of_bridge.setdefault(bridge, cls(bridge))

    def check(self) -> None:
        """Raise HostPaused while nothing may be asked."""
        if time.monotonic() < self._paused_until:
            raise HostPaused

    def note(self, account_id: uuid.UUID) -> None:
        """Count a refused request; it is written down soon, with others."""
        self._counts[account_id] += 1
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        while self._counts:
            counts, self._counts = self._counts, Counter()
            for account_id, count in counts.items():
                await self._add(account_id, count)

    async def _add(self, account_id: uuid.UUID, count: int) -> None:
        bridge = self._bridge()
        if bridge is None:
            return
        try:
            total = await bridge.call(
                partial(note_refusals, account_id=account_id, platform=PLATFORM, count=count)
            )
        except DatabaseError as error:
            logger.warning("refused requests are not counted: %s", type(error).__name__)
            return
        if total >= MOST:
            logger.warning("Discord refused %d requests, so this host rests", total)
            self._paused_until = time.monotonic() + PAUSE_SECONDS
