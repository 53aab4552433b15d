"""Carries out what owners decided on invitations. Looks only while some wait or are decided."""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress
from functools import partial

from django.db import Error as DatabaseError

from agentapp.foundation.errors import AgentError
from agentapp.presence.invitations import carried_out, to_carry_out
from bots.bridge import Bridge
from bots.matrix.errors import Rejected
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
AGAIN_SECONDS = 60.0  # after a homeserver could not do it: rooms elsewhere may be slow to enter


class Invites:
    """The invitations of one login."""

    def __init__(self, *, server: Homeserver, bridge: Bridge, account_id: uuid.UUID) -> None:
        self._server = server
        self._bridge = bridge
        self._account_id = account_id
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Start looking, unless that is going on."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Stop looking; what is undecided waits in the record."""
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        while True:
            wait = LOOK_SECONDS
            try:
                decided, any_waits = await self._bridge.call(
                    to_carry_out, account_id=self._account_id
                )
                if not decided and not any_waits:
                    return
                for membership_id, room_id, is_accepted in decided:
                    await self._carry_out(membership_id, room_id, is_accepted=is_accepted)
            except (AgentError, DatabaseError) as error:
                logger.info("invitations wait: %s", type(error).__name__)
                wait = AGAIN_SECONDS
            await asyncio.sleep(wait)

    async def _carry_out(self, membership_id: int, room_id: str, *, is_accepted: bool) -> None:
        is_void = False
        try:
            if is_accepted:
                await self._server.join(room_id)
                await self._mark_direct(room_id)
            else:
                with suppress(Rejected):  # then there is nothing left to decline
                    await self._server.leave(room_id)
        except Rejected:
            is_void = True
        done = partial(carried_out, membership_id=membership_id, is_void=is_void)
        await self._bridge.call(done)

    async def _mark_direct(self, room_id: str) -> None:
        """List a room for two as a direct one, as clients do; nothing depends on it."""
        with suppress(AgentError):
            others = await self._server.members(room_id) - {self._server.login.user_id}
            if len(others) != 1:
                return
            (other,) = others
            listed = await self._server.account_data("m.direct")
            known = listed.get(other)
            rooms = (
                [one for one in known if isinstance(one, str)] if isinstance(known, list) else []
            )
            if room_id not in rooms:
                await self._server.set_account_data(
                    "m.direct", {**listed, other: [*rooms, room_id]}
                )
