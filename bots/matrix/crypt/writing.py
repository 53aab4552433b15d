"""What goes out: a room's key to its members' devices, and messages written with it.

Everything is stored before it leaves. So whoever goes on after an end in between sends the same
bytes again, under the same names, and no place in a ratchet is used for two things.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import vodozemac

from agentapp.foundation import faults
from agentapp.foundation.errors import Unavailable
from bots.matrix.crypt.device import MEGOLM_ALGORITHM, PICKLE_KEY, Device
from bots.matrix.crypt.devices import claimed_key, listed, targets_in
from bots.matrix.crypt.megolm import facts_of_own, keep_session, name_of
from bots.matrix.crypt.olm import Target, begin, sessions_of, write_letter
from bots.matrix.crypt.requests import KeyRequests
from bots.matrix.crypt.ring import (
    ACCOUNT,
    DEVICES,
    INBOUND,
    OLM,
    OUTBOUND,
    PARCEL,
    WRITTEN,
    Ring,
    Value,
)
from bots.matrix.errors import Rejected
from bots.matrix.transport import Homeserver

logger = logging.getLogger(__name__)

MOST_MESSAGES = 100  # with one room key
MOST_SECONDS = 7 * 24 * 3600.0
LEAST_SECONDS = 60.0  # whatever a room asks for
IN_PARCEL = 50  # devices
MOST_NUMBER = 1e15  # in a room's settings; what is beyond counts as none
REST_SECONDS = 300.0  # before a device or a user that gave nothing is asked again


@dataclass(frozen=True, slots=True)
class Limits:
    """When a room's key is replaced."""

    messages: int = MOST_MESSAGES
    seconds: float = MOST_SECONDS


def limits_of(content: Mapping[str, object]) -> Limits:
    """Return what a room asks for, as far as it is stricter than what holds anyway."""
    messages = _number(content.get("rotation_period_msgs"), MOST_MESSAGES)
    seconds = _number(content.get("rotation_period_ms"), MOST_SECONDS * 1000) / 1000
    return Limits(
        int(min(max(messages, 1), MOST_MESSAGES)), min(max(seconds, LEAST_SECONDS), MOST_SECONDS)
    )


class Writer:
    """Writes into encrypted rooms as one device.

    Args:
        notices: How often a user's devices were said to have changed, by user; it grows.
    """

    def __init__(
        self, *, ring: Ring, device: Device, server: Homeserver, notices: Mapping[str, int]
    ) -> None:
        self._ring = ring
        self._device = device
        self._server = server
        self._requests = KeyRequests(server)
        self._notices = notices
        self._members: dict[str, set[str]] = {}
        self._moves: dict[str, int] = {}
        self._resting: dict[str, float] = {}  # monotonic
        self._has_parcels = True

    def members_changed(self, room_id: str) -> None:
        """Note that somebody came into a room or left it."""
        self._moves[room_id] = self._moves.get(room_id, 0) + 1
        self._members.pop(room_id, None)

    async def written(
        self, room_id: str, kind: str, content: Mapping[str, object], *, key: str, limits: Limits
    ) -> dict[str, object]:
        """Return the content of an encrypted event, the same for the same key.

        Raises:
            KeysMoved: Another process runs this login.
            AgentError: The homeserver does not say to whom the room's key goes. Nothing left.
        """
        members = await self._members_of(room_id)
        await self.refresh(members)
        await self._share(room_id, members, limits, key=key)
        await self.send_parcels()
        async with self._ring.turn():
            await self._ring.load([(ACCOUNT, ""), (OUTBOUND, room_id), (WRITTEN, key)])
            before = self._ring.get(WRITTEN, key)
            if before is not None:
                return dict(before["content"])
            sealed = self._encrypt(room_id, kind, content)
            value = {"content": sealed}
            self._ring.put(WRITTEN, key, value, owner=self._device.user_id)
            await self._ring.store()
        faults.passing("ciphertext.ready")
        return sealed

    def _encrypt(self, room_id: str, kind: str, content: Mapping[str, object]) -> dict[str, object]:
        stored = self._ring.get(OUTBOUND, room_id)
        if stored is None:
            raise Unavailable("The room's key was changed at this moment.")
        group = vodozemac.GroupSession.from_pickle(stored["pickle"], PICKLE_KEY)
        inner = {name: part for name, part in content.items() if name != "m.relates_to"}
        plain = {"type": kind, "room_id": room_id, "content": inner}
        raw = json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace")
        message = group.encrypt(raw)
        self._ring.put(OUTBOUND, room_id, {**stored, "pickle": group.pickle(PICKLE_KEY)})
        sealed: dict[str, object] = {
            "algorithm": MEGOLM_ALGORITHM,
            "sender_key": self._device.curve(),
            "device_id": self._device.device_id,
            "session_id": group.session_id,
            "ciphertext": message.to_base64(),
        }
        if "m.relates_to" in content:
            sealed["m.relates_to"] = content["m.relates_to"]
        return sealed

    async def _members_of(self, room_id: str) -> set[str]:
        """Return who is in a room; asked again after each coming and going."""
        known = self._members.get(room_id)
        if known is not None:
            return known
        moves = self._moves.get(room_id, 0)
        found = await self._server.members(room_id)
        if self._moves.get(room_id, 0) == moves:
            self._members[room_id] = found
        return found

    async def refresh(self, users: Collection[str]) -> None:
        """Ask about the devices of users that are not known or were said to have changed."""
        async with self._ring.turn():
            await self._ring.load((DEVICES, user) for user in users)
            kept = {user: self._ring.get(DEVICES, user) for user in users}
        wanted = {user for user, one in kept.items() if one is None or one["is_stale"]}
        wanted = {user for user in wanted if not self._rests(user)}
        if not wanted:
            return
        heard = {user: self._notices.get(user, 0) for user in wanted}
        answer = await self._requests.devices_of(wanted)
        found = answer.get("device_keys")
        found = found if isinstance(found, dict) else {}
        async with self._ring.turn():
            await self._ring.load((DEVICES, user) for user in wanted)
            for user in wanted:
                if user not in found:  # its homeserver does not answer
                    self._resting[user] = time.monotonic() + REST_SECONDS
                    continue
                value = listed(user, found[user], self._ring.get(DEVICES, user))
                value["is_stale"] = self._notices.get(user, 0) != heard[user]
                self._ring.put(DEVICES, user, value)
            await self._ring.store()

    async def _share(
        self, room_id: str, members: Collection[str], limits: Limits, *, key: str
    ) -> None:
        """See to it that every device in a room gets the room's key, now or with the parcels.

        What is to be written under `key` is asked for here already: nothing else has to be read
        in a room where all is known, and the ring knows the time only from reading.
        """
        for is_last in (False, True):
            async with self._ring.turn():
                names = [(DEVICES, user) for user in members]
                known = [(ACCOUNT, ""), (OUTBOUND, room_id), (WRITTEN, key)]
                await self._ring.load([*known, *names])
                targets = self._targets(members)
                stored = await self._room_key(room_id, targets, limits)
                missing = [one for one in targets if not _has(stored, one)]
                await self._ring.load((OLM, one.curve) for one in missing)
                strangers = [
                    one
                    for one in missing
                    if not sessions_of(self._device, one.curve) and not self._rests(one.curve)
                ]
                if is_last or not strangers:
                    await self._pack(room_id, stored, missing)
                await self._ring.store()
            if not strangers:
                return
            if not is_last:
                await self.agree(strangers)

    def _targets(self, members: Collection[str]) -> list[Target]:
        own = self._device
        return [
            target
            for user in sorted(members)
            for target in targets_in(user, self._ring.get(DEVICES, user))
            if (target.user_id, target.device_id) != (own.user_id, own.device_id)
        ]

    async def _room_key(self, room_id: str, targets: list[Target], limits: Limits) -> Value:
        """Return the room's key in use, or a new one: whoever left must not read on."""
        stored = self._ring.get(OUTBOUND, room_id)
        if stored is not None:
            group = vodozemac.GroupSession.from_pickle(stored["pickle"], PICKLE_KEY)
            standing = {(one.user_id, one.device_id, one.curve) for one in targets}
            given = {
                (user, device, curve)
                for user, devices in stored["given"].items()
                for device, curve in devices.items()
            }
            is_old = self._ring.now - stored["made_at"] >= limits.seconds
            if group.message_index < limits.messages and not is_old and given <= standing:
                return stored
        group = vodozemac.GroupSession()
        name = name_of(room_id, group.session_id)
        await self._ring.load([(INBOUND, name)])
        own = vodozemac.InboundGroupSession(group.session_key)
        keep_session(self._ring, name, own, facts_of_own(self._device), owner=self._device.user_id)
        fresh = {"pickle": group.pickle(PICKLE_KEY), "made_at": self._ring.now, "given": {}}
        self._ring.put(OUTBOUND, room_id, fresh)
        return fresh

    async def _pack(self, room_id: str, stored: Value, missing: list[Target]) -> None:
        """Write the room's key to devices that do not have it, from where the ratchet stands."""
        group = vodozemac.GroupSession.from_pickle(stored["pickle"], PICKLE_KEY)
        content = {
            "algorithm": MEGOLM_ALGORITHM,
            "room_id": room_id,
            "session_id": group.session_id,
            "session_key": group.session_key.to_base64(),
        }
        given = {user: dict(devices) for user, devices in stored["given"].items()}
        letters = []
        for n, target in enumerate(missing):
            if n % IN_PARCEL == 0:
                await asyncio.sleep(0)  # other logins have their turn
            letter = write_letter(self._device, target, "m.room_key", content)
            if letter is not None:
                letters.append((target, letter))
                given.setdefault(target.user_id, {})[target.device_id] = target.curve
        self.parcel(letters)
        if letters:
            self._ring.put(OUTBOUND, room_id, {**stored, "given": given})

    def parcel(self, letters: list[tuple[Target, dict[str, object]]]) -> None:
        """Keep letters until they are sent, inside a turn."""
        for start in range(0, len(letters), IN_PARCEL):
            messages: dict[str, dict[str, object]] = {}
            for target, letter in letters[start : start + IN_PARCEL]:
                messages.setdefault(target.user_id, {})[target.device_id] = letter
            self._ring.put(PARCEL, secrets.token_hex(16), {"messages": messages})
            self._has_parcels = True

    async def agree(self, targets: list[Target]) -> None:
        """Agree with devices by one of the one-time keys that each has laid down."""
        found = await self._requests.claim(targets)
        async with self._ring.turn():
            await self._ring.load([(ACCOUNT, ""), *((OLM, one.curve) for one in targets)])
            for target in targets:
                key = claimed_key(target, found)
                if not key or not begin(self._device, target, key):
                    self._resting[target.curve] = time.monotonic() + REST_SECONDS
            await self._ring.store()

    async def send_parcels(self) -> None:
        """Send what is kept for devices; it was stored before, so an end in between loses none."""
        if not self._has_parcels:
            return
        self._has_parcels = False  # whoever adds one meanwhile says so again
        try:
            await self._send_all_parcels()
        except BaseException:
            self._has_parcels = True
            raise

    async def _send_all_parcels(self) -> None:
        async with self._ring.turn():
            names = await self._ring.load_kind(PARCEL)
            parcels: dict[str, Any] = {
                name: one for name in names if (one := self._ring.get(PARCEL, name))
            }
        for name, parcel in parcels.items():
            try:
                await self._requests.send(parcel["messages"], name)
            except Rejected as error:
                logger.warning("keys for %d users: %s", len(parcel["messages"]), error.code)
            faults.passing("keys.sent")
        async with self._ring.turn():
            await self._ring.load((PARCEL, name) for name in parcels)
            for name in parcels:
                self._ring.drop(PARCEL, name)
            await self._ring.store()

    def _rests(self, name: str) -> bool:
        return self._resting.get(name, 0.0) > time.monotonic()


def _has(stored: Value, target: Target) -> bool:
    given: dict[str, dict[str, str]] = stored["given"]
    return given.get(target.user_id, {}).get(target.device_id) == target.curve


def _number(value: object, otherwise: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return otherwise
    return value if -MOST_NUMBER < value < MOST_NUMBER else otherwise
