"""Goes into rooms and out of them, and out of all of them for good."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from agentapp.foundation.errors import AgentError
from bots.matrix.errors import Limited, Rejected
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)

LONGEST_REST = 30.0  # seconds; a homeserver that wants more is asked again later


async def enter(server: Homeserver, room_id: str) -> None:
    """Join a room and list one for two as a direct room."""
    await server.join(room_id)
    await _mark_direct(server, room_id)


async def leave(server: Homeserver, room_id: str, *, reason: str) -> None:
    """Leave a room, or decline the invitation into it."""
    with suppress(Rejected):  # then there is nothing left to leave
        await server.leave(room_id, reason=reason)


async def leave_all(server: Homeserver) -> None:
    """Leave every room and end the login.

    Raises:
        LoginLost: It has ended already. Limited, NotReached, Faltering: Not all is done.
    """
    for room_id in await server.joined_rooms():
        try:
            await leave(server, room_id, reason="")
        except Limited as limited:
            if limited.seconds > LONGEST_REST:
                raise
            await asyncio.sleep(limited.seconds)
            await leave(server, room_id, reason="")
    if not server.login.is_ghost:  # its token is not its own
        await server.log_out()


async def _mark_direct(server: Homeserver, room_id: str) -> None:
    """List a room for two as a direct one, as clients do; nothing depends on it."""
    with suppress(AgentError):
        others = await server.members(room_id) - {server.login.user_id}
        if len(others) != 1:
            return
        (other,) = others
        listed = await server.account_data("m.direct")
        known = listed.get(other)
        rooms = [one for one in known if isinstance(one, str)] if isinstance(known, list) else []
        if room_id not in rooms:
            await server.set_account_data("m.direct", {**listed, other: [*rooms, room_id]})
