"""Goes through doors: enters and leaves rooms on platforms as it was decided here."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial

from agentapp.foundation.errors import AgentError
from agentapp.presence import errands
from agentapp.presence.errands import Errand
from bots.bridge import Bridge
from bots.connector import Connector, SendRefused

logger = logging.getLogger(__name__)

# After one attempt. What was done is due again until its platform shows the agent inside; what
# failed may be slow: rooms of other servers take their time to be entered.
AGAIN_AFTER_DONE, AGAIN_AFTER_FAILURE = 20.0, 60.0
LONGEST = 90.0  # seconds for one door


class Errands:
    """Runs what is due for the logins of this process, each login's doors one after the other.

    Args:
        bridge: The way to the engine.
        connectors: The logins that this process may serve at this moment.
    """

    def __init__(
        self, *, bridge: Bridge, connectors: Callable[[], Mapping[uuid.UUID, Connector]]
    ) -> None:
        self._bridge = bridge
        self._connectors = connectors
        self._not_before: dict[tuple[uuid.UUID, str], float] = {}  # a door, and monotonic
        self._tasks: dict[uuid.UUID, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Begin what is due; two queries."""
        connectors = self._connectors()
        if not connectors:
            return
        due = await self._bridge.call(errands.due, accounts=list(connectors))
        now = time.monotonic()
        self._not_before = {_door(one): self._not_before.get(_door(one), now) for one in due}
        by_login: dict[uuid.UUID, list[Errand]] = {}
        for one in due:
            if self._not_before[_door(one)] <= now:
                by_login.setdefault(one.account_id, []).append(one)
        for account_id, some in by_login.items():
            if account_id not in self._tasks:
                self._tasks[account_id] = asyncio.create_task(
                    self._run_all(account_id, connectors[account_id], some)
                )

    def is_busy_with(self, account_id: uuid.UUID) -> bool:
        """Say whether this login is at a door."""
        return account_id in self._tasks

    def stop(self) -> None:
        """Begin nothing more; what was not done stays due."""
        for task in list(self._tasks.values()):
            task.cancel()

    async def _run_all(
        self, account_id: uuid.UUID, connector: Connector, some: list[Errand]
    ) -> None:
        try:
            await self._run_each(connector, some)
        finally:
            del self._tasks[account_id]

    async def _run_each(self, connector: Connector, some: list[Errand]) -> None:
        for one in some:
            wait = AGAIN_AFTER_DONE
            try:
                await self._run(connector, one)
            except Exception as error:  # noqa: BLE001  (one room must not keep the others shut)
                said = error.code if isinstance(error, AgentError) else type(error).__name__
                logger.info("a door waits: %s", said)
                wait = AGAIN_AFTER_FAILURE
            self._not_before[_door(one)] = time.monotonic() + wait

    async def _run(self, connector: Connector, one: Errand) -> None:
        is_void = False
        async with asyncio.timeout(LONGEST):
            try:
                if one.enters:
                    await connector.enter(one.room_external_id)
                else:
                    await connector.leave(one.room_external_id, reason=one.reason)
            except SendRefused:
                is_void = True
        if not one.membership_id:
            return
        done = partial(errands.done, membership_id=one.membership_id, is_void=is_void)
        await self._bridge.call(done)


def _door(one: Errand) -> tuple[uuid.UUID, str]:
    return one.account_id, one.room_external_id
