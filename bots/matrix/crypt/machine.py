"""All of one login's encryption, as long as this process holds the login."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from agentapp.foundation.errors import AgentError
from agentapp.identity.services.leases import HeldAccount
from agentapp.keyring.queries import ring_of
from agentapp.keyring.services import device_changed
from bots.bridge import Bridge
from bots.matrix.backfill import Event
from bots.matrix.crypt.device import Device
from bots.matrix.crypt.devices import targets_in
from bots.matrix.crypt.olm import write_letter
from bots.matrix.crypt.reading import Reader
from bots.matrix.crypt.requests import KeyRequests
from bots.matrix.crypt.ring import ACCOUNT, DEVICES, OLM, Ring
from bots.matrix.crypt.writing import Writer
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)

MENDED_SECONDS = 3600.0  # between two new agreements with a device whose messages are not read
MOST_MENDED = 10  # after one sync


class Crypt:
    """Reads and writes as one device; its ring's turns keep the two apart."""

    def __init__(
        self, *, ring: Ring, bridge: Bridge, account: HeldAccount, server: Homeserver
    ) -> None:
        self.ring = ring
        self._device = Device(ring=ring, user_id=account.external_id)
        self._requests = KeyRequests(server)
        self._mended: dict[str, float] = {}  # monotonic
        self.reader = Reader(ring=ring, device=self._device, bridge=bridge, account=account)
        self.writer = Writer(
            ring=ring, device=self._device, server=server, notices=self.reader.notices
        )

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Take in one sync alone. What it changed has to be stored inside, or is forgotten."""
        try:
            async with self.ring.turn():
                yield
        except BaseException:
            self.reader.look_again()
            raise

    async def opened(self, room_id: str, events: Sequence[Event]) -> list[Event]:
        """Return a room's events, in plain as far as its keys are here; inside a turn."""
        await self.reader.load_for(room_id, events)
        return [self.reader.opened(room_id, event) for event in events]

    def has_work(self) -> bool:
        """Say whether there are keys to show, or devices to begin anew with."""
        return self.reader.has_keys_to_show or bool(self.reader.unknown)

    async def afterwards(self) -> None:
        """Do what follows a sync: show new one-time keys, mend what is broken with devices.

        Nothing depends on it; the next sync asks for the same again.
        """
        try:
            await self._show_keys()
            await self._mend()
        except AgentError as error:
            logger.info("keys of %s wait: %s", self._device.user_id, error.code)

    async def _show_keys(self) -> None:
        if not self.reader.has_keys_to_show:
            return
        async with self.ring.turn():
            await self.ring.load([(ACCOUNT, "")])
            body = self._device.keys_to_show()
        await self._requests.upload(body)
        async with self.ring.turn():
            await self.ring.load([(ACCOUNT, "")])
            if self._device.keys_to_show() == body:
                self._device.shown()
                self.reader.has_keys_to_show = False
            await self.ring.store()

    async def _mend(self) -> None:
        """Begin anew with devices whose messages cannot be read; they go on with the new one."""
        unknown, self.reader.unknown = self.reader.unknown, {}
        wanted = {
            curve: user
            for curve, user in unknown.items()
            if self._mended.get(curve, 0.0) <= time.monotonic()
        }
        for curve, user in list(wanted.items())[:MOST_MENDED]:
            self._mended[curve] = time.monotonic() + MENDED_SECONDS
            await self._mend_with(user, curve)
        await self.writer.send_parcels()

    async def _mend_with(self, user: str, curve: str) -> None:
        await self.writer.refresh({user})
        async with self.ring.turn():
            await self.ring.load([(DEVICES, user)])
            known = targets_in(user, self.ring.get(DEVICES, user))
        targets = [one for one in known if one.curve == curve]
        if not targets:
            return
        await self.writer.agree(targets)
        async with self.ring.turn():
            await self.ring.load([(ACCOUNT, ""), *((OLM, one.curve) for one in targets)])
            letters = [(one, write_letter(self._device, one, "m.dummy", {})) for one in targets]
            self.writer.parcel([(one, letter) for one, letter in letters if letter])
            await self.ring.store()


async def opened(*, bridge: Bridge, account: HeldAccount, server: Homeserver) -> Crypt | None:
    """Return a login's encryption, or None where its owner has not turned it on.

    Keys are those of one device. Where the login is another one by now they are of no use, and
    encryption is off until its owner turns it on for that one.
    """
    found = await bridge.call(partial(ring_of, account_id=account.account_id))
    if found is None:
        return None
    if found.device != server.login.device_id:
        await bridge.call(
            partial(device_changed, account_id=account.account_id, fence=account.fence)
        )
        return None
    ring = Ring(bridge=bridge, account=account, opened=found)
    return Crypt(ring=ring, bridge=bridge, account=account, server=server)
