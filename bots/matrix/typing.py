"""Shows that an agent is writing, exactly while a model works on its words."""

from __future__ import annotations

import asyncio
import logging
import time

from django.db import Error as DatabaseError

from agentapp.foundation.errors import AgentError
from agentapp.intake.queries import thinking_in
from bots.bridge import Bridge
from bots.matrix.parse import PLATFORM
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.7  # between two looks at who is thinking
SHOWN_SECONDS = 30.0  # that a homeserver keeps showing it
RENEW_SECONDS = 20.0
QUIET_SECONDS = 15.0  # after a message, in which a thought may still begin


class Typing:
    """Follows one agent's thoughts for a while after each message it hears."""

    def __init__(self, *, server: Homeserver, bridge: Bridge, agent_id: int) -> None:
        self._server = server
        self._bridge = bridge
        self._agent_id = agent_id
        self._shown: dict[str, float] = {}  # room, and when it was last said (monotonic)
        self._until = 0.0  # monotonic
        self._task: asyncio.Task[None] | None = None

    def heard(self) -> None:
        """Start looking, or go on: something was said that may be answered."""
        self._until = time.monotonic() + QUIET_SECONDS
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Stop looking. What is shown fades by itself."""
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        while time.monotonic() < self._until or self._shown:
            try:
                thinking = set(
                    await self._bridge.call(thinking_in, agent_id=self._agent_id, platform=PLATFORM)
                )
                await self._show(thinking)
            except (AgentError, DatabaseError) as error:
                logger.debug("typing is not shown: %s", type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _show(self, thinking: set[str]) -> None:
        now = time.monotonic()
        for room_id in thinking:
            if now - self._shown.get(room_id, -RENEW_SECONDS) >= RENEW_SECONDS:
                self._shown[room_id] = now
                await self._server.set_typing(room_id, on=True, seconds=SHOWN_SECONDS)
        for room_id in set(self._shown) - thinking:
            del self._shown[room_id]
            await self._server.set_typing(room_id, on=False, seconds=0)
