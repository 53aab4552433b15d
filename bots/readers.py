"""Takes in what platforms hand to this host for many logins at once: one reader per service."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from django.db import Error as DatabaseError

from agentapp.appservices import leases
from agentapp.appservices.leases import HeldService
from bots.bridge import Bridge

logger = logging.getLogger(__name__)

RENEW_SECONDS = 5.0  # a third of a lease


class Reader(Protocol):
    """What one application service is handed, taken in by this process."""

    async def run(self) -> None:
        """Take in whatever comes, until another process holds the service."""


ReaderMaker = Callable[[HeldService, Bridge, asyncio.Event], Reader]


@dataclass
class _Running:
    fence: int
    task: asyncio.Task[None]
    wake: asyncio.Event


class Readers:
    """The services that this process holds.

    Args:
        makers: For each platform what makes a reader.
    """

    def __init__(self, *, makers: Mapping[str, ReaderMaker], bridge: Bridge, holder: str) -> None:
        self._makers = makers
        self._bridge = bridge
        self._holder = holder
        self._running: dict[uuid.UUID, _Running] = {}
        self._renewed_at = 0.0  # monotonic

    def wake(self) -> None:
        """Have every reader look: something was handed over, to one of them."""
        for one in self._running.values():
            one.wake.set()

    async def look(self) -> None:
        """Renew what is held, take what is free; two queries at most."""
        if not self._makers:
            return
        now = time.monotonic()
        if self._running and now - self._renewed_at >= RENEW_SECONDS:
            held = await self._bridge.call(
                leases.renew, holder=self._holder, services=list(self._running)
            )
            self._renewed_at = now
            await self._end([pk for pk, one in self._running.items() if held.get(pk) != one.fence])
        await self._end([pk for pk, one in self._running.items() if one.task.done()])
        taken = await self._bridge.call(
            leases.take_free, holder=self._holder, platforms=list(self._makers)
        )
        for one in taken:
            await self._end([one.service.id])
            wake = asyncio.Event()
            reader = self._makers[one.platform](one, self._bridge, wake)
            task = asyncio.create_task(self._run(one, reader))
            self._running[one.service.id] = _Running(one.fence, task, wake)
            self._renewed_at = now

    async def stop(self, *, seconds: float) -> None:
        """End all readers and give their services back, within bounds."""
        if not self._running:
            return
        await self._end(list(self._running))
        with suppress(DatabaseError, TimeoutError):  # then they run out by themselves
            async with asyncio.timeout(seconds):
                await self._bridge.call(leases.give_back, holder=self._holder)

    async def _run(self, held: HeldService, reader: Reader) -> None:
        try:
            await reader.run()
        except Exception:  # it is taken up again with the next lease
            logger.exception("what %s hands over is not read", held.service.domain)

    async def _end(self, service_ids: list[uuid.UUID]) -> None:
        gone = [self._running.pop(pk) for pk in service_ids if pk in self._running]
        for one in gone:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in gone), return_exceptions=True)
