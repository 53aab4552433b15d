"""A login that an application service answers for: it speaks as any other, and does not listen."""

from __future__ import annotations

import asyncio
import random
import weakref
from functools import partial

from agentapp.foundation.envelope import Place
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.batches import accept_batch
from agentapp.intake.queries import rooms_inside
from agentapp.intake.seen import Batch, Left, RoomNews
from bots.bridge import Bridge
from bots.matrix.credentials import Login
from bots.matrix.errors import Faltering, Rejected
from bots.matrix.ghosts.making import NOT_KNOWN, enter_namespace
from bots.matrix.ghosts.parcels import membership_in
from bots.matrix.ghosts.rooms import load
from bots.matrix.parse import PLATFORM
from bots.matrix.transport import Homeserver
from bots.matrix.wire import Wire

PULSE_SECONDS = 240.0  # between two questions whether the homeserver still knows a ghost
MOST_IDLE = 16  # connections that stay open to a homeserver, for all ghosts of a process
AT_ONCE = 8  # ghosts that look in one moment
UNSEEN = "The homeserver no longer shows it the room."

_wires: weakref.WeakKeyDictionary[Bridge, dict[str, Wire]] = weakref.WeakKeyDictionary()
_gates: weakref.WeakKeyDictionary[Bridge, asyncio.Semaphore] = weakref.WeakKeyDictionary()


class ServiceUnknown(Faltering):
    """The homeserver does not take this application service's token."""

    def __init__(self) -> None:
        super().__init__(NOT_KNOWN)


def wire_of(bridge: Bridge, login: Login) -> Wire:
    """Return the connections that all ghosts of a process share towards a homeserver."""
    known = _wires.setdefault(bridge, {})
    return known.setdefault(login.homeserver, Wire(login.homeserver, most_idle=MOST_IDLE))


async def close_wires(bridge: Bridge) -> None:
    """End the shared connections, at the end of a process."""
    for wire in _wires.pop(bridge, {}).values():
        await wire.close()


async def verify(server: Homeserver) -> str:
    """Return the user id that the service's token stands for when it speaks for this ghost.

    A homeserver that has forgotten the user is told of it anew.
    """
    try:
        return await server.whoami()
    except Rejected:
        await enter_namespace(server)
        return await server.whoami()


async def stay(server: Homeserver, *, bridge: Bridge, account: HeldAccount) -> None:
    """Be there for ever, as long as the homeserver knows this ghost.

    From time to time its list of rooms is compared with the record: after a backup was brought
    back, what happened in between is never handed over again.

    Raises:
        LoginLost, NotReached, Faltering: It does not, or does not answer.
    """
    is_first = True
    while True:
        await _agree_on_rooms(server, bridge, account, is_first=is_first)
        is_first = False
        spread = random.uniform(0.5, 1.0)  # noqa: S311  (spreads requests, guards nothing)
        await asyncio.sleep(PULSE_SECONDS * spread)


async def _agree_on_rooms(
    server: Homeserver, bridge: Bridge, account: HeldAccount, *, is_first: bool
) -> None:
    async with _gates.setdefault(bridge, asyncio.Semaphore(AT_ONCE)):
        # The record first: who comes in meanwhile is in the homeserver's list then, not gone.
        listed = partial(rooms_inside, agent_id=account.agent_id, account_id=account.account_id)
        inside = await bridge.call(partial(listed, on_the_way=False))
        joined = set(await server.joined_rooms())
        found = [
            RoomNews((await load(server, room_id)).place()) for room_id in sorted(joined - inside)
        ]
        departures = [await _departure(server, room_id) for room_id in sorted(inside - joined)]
        # How it came to be outside is still to be handed over, if it is not to be seen.
        gone = [one for one in departures if one.reason != UNSEEN or not is_first]
        if found or gone:
            await bridge.call(accept_batch, _batch(account, found, gone))


async def _departure(server: Homeserver, room_id: str) -> Left:
    """Return how a ghost came to be outside a room; who is banned is not shown it."""
    own = server.login.user_id
    try:
        event = await server.state(room_id, "m.room.member", key=own, whole=True)
    except Rejected:
        return Left(Place(room_id), True, UNSEEN)
    _, reason = membership_in(event)
    return Left(Place(room_id), event.get("sender") != own, reason)


def _batch(account: HeldAccount, found: list[RoomNews], gone: list[Left]) -> Batch:
    return Batch(
        account_id=account.account_id,
        fence=account.fence,
        workspace_id=account.workspace_id,
        agent_id=account.agent_id,
        platform=PLATFORM,
        cursor={},
        rooms=tuple(found),
        left=tuple(gone),
    )
