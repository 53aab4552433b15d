"""One process that serves logins: keeps their leases and delivers for them."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
import uuid
from collections.abc import Mapping

from django.db import Error as DatabaseError

from agentapp.identity.services import accounts
from bots.bridge import Bridge, wake_ups
from bots.connector import Connector
from bots.delivery import Delivery

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # a lost wake-up costs at most this
RENEW_SECONDS = 5.0  # a third of a lease


def holder_name() -> str:
    """Return a name that no other process ever had."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


class Host:
    """Leases the logins of its platforms and delivers for them until told to stop."""

    def __init__(
        self, *, connectors: Mapping[str, Connector], bridge: Bridge, holder: str = ""
    ) -> None:
        self.holder = holder or holder_name()
        self._bridge = bridge
        self._platforms = list(connectors)
        self._delivery = Delivery(bridge=bridge, connectors=connectors, holder=self.holder)
        self._accounts: list[uuid.UUID] = []
        self._lease_ends = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then give the logins back."""
        keeper = asyncio.create_task(self._keep_leases())
        deliverer = asyncio.create_task(self._deliver())
        await stop.wait()
        for task in (keeper, deliverer):
            task.cancel()
        await asyncio.gather(keeper, deliverer, return_exceptions=True)
        await self._bridge.call(accounts.release_accounts, holder=self.holder)

    async def _keep_leases(self) -> None:
        while True:
            try:
                await self.renew()
            except DatabaseError:
                logger.exception("the leases could not be renewed")
            await asyncio.sleep(RENEW_SECONDS if self._accounts else POLL_SECONDS)

    async def renew(self) -> list[uuid.UUID]:
        """Renew what this process holds, take what is free, and return both."""
        # Counted from before the question: the lease runs on the database's clock from then on.
        asked = time.monotonic()
        leased = await self._bridge.call(
            accounts.lease_accounts, holder=self.holder, platforms=self._platforms
        )
        self._lease_ends = asked + accounts.LEASE_SECONDS
        known = set(self._accounts)
        self._accounts = [account.id for account in leased]
        fresh = [account.id for account in leased if account.id not in known]
        if fresh:
            await self._bridge.call(accounts.set_health, account_ids=fresh, health="ok")
            logger.info("serving %d logins", len(leased))
        return self._accounts

    async def _deliver(self) -> None:
        async for _ in wake_ups(at_least_every=POLL_SECONDS):
            if time.monotonic() >= self._lease_ends:
                continue  # somebody else may serve these logins by now
            try:
                await self._delivery.run_once(self._accounts)
            except DatabaseError:
                logger.exception("delivery stopped for a moment")
                await asyncio.sleep(POLL_SECONDS)
