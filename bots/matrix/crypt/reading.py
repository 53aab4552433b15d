"""What comes in: messages to this device, changed lists of devices, encrypted events of rooms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from agentapp.identity.services.leases import HeldAccount
from agentapp.keyring import queries
from agentapp.keyring.changes import Sealed, StoredSealed
from agentapp.keyring.services import MOST_CONTENT
from bots.bridge import Bridge
from bots.matrix.crypt.device import Device
from bots.matrix.crypt.megolm import key_name_in, read_event, session_name, take_key
from bots.matrix.crypt.olm import Letter, open_letter, sealed_of
from bots.matrix.crypt.ring import ACCOUNT, DEVICES, INBOUND, OLM, Ring
from bots.matrix.parse import id_of, user_of

AT_ONCE = 50  # letters between two looks at everything else
MOST_UNKNOWN = 100  # devices at once whose letters are not understood
MOST_CHANGED = 10_000  # users of one sync whose devices changed

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Late:
    """An event that came before its key did."""

    number: int
    event: dict[str, Any]


class Reader:
    """Reads what one device is sent. Everything here happens inside a turn of the ring.

    Attributes:
        has_keys_to_show: One-time keys were made that the homeserver does not have.
        unknown: Who wrote to this device under an agreement that it does not know, by their key.
    """

    def __init__(self, *, ring: Ring, device: Device, bridge: Bridge, account: HeldAccount) -> None:
        self.has_keys_to_show = False
        self.unknown: dict[str, str] = {}
        self.notices: dict[str, int] = {}
        self._ring = ring
        self._device = device
        self._bridge = bridge
        self._account_id = account.account_id
        # Names of keys that came, and the last of what was kept that was looked at for them.
        self._ripe: list[tuple[tuple[str, ...] | None, int]] = [(None, 0)]

    async def take_in(self, answer: Mapping[str, object]) -> set[str]:
        """Take in what a sync holds for this device; return the names of new room keys."""
        await self._ring.load([(ACCOUNT, "")])
        new = await self._take_letters(answer.get("to_device"))
        lists = answer.get("device_lists")
        if isinstance(lists, Mapping):
            await self._note_changed(_users(lists.get("changed")) | _users(lists.get("left")))
        self.has_keys_to_show |= self._device.make_keys(
            answer.get("device_one_time_keys_count"),
            answer.get("device_unused_fallback_key_types"),
        )
        return new

    async def _take_letters(self, section: object) -> set[str]:
        listed = section.get("events") if isinstance(section, Mapping) else None
        events = (
            [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        )
        new: set[str] = set()
        for start in range(0, len(events), AT_ONCE):
            part = events[start : start + AT_ONCE]
            sealed = [one for event in part if (one := sealed_of(event, self._device))]
            await self._ring.load((OLM, one.curve) for one in sealed)
            letters: list[Letter] = []
            for one in sealed:
                letter = open_letter(one, self._device)
                if letter is not None:
                    letters.append(letter)
                elif len(self.unknown) < MOST_UNKNOWN:
                    self.unknown[one.curve] = one.sender
            new |= await self._take_keys(letters)
            await asyncio.sleep(0)
        return new

    async def _take_keys(self, letters: Sequence[Letter]) -> set[str]:
        names = {name for letter in letters if (name := key_name_in(letter))}
        await self._ring.load((INBOUND, name) for name in names)
        return {name for letter in letters if (name := take_key(self._ring, letter))}

    async def _note_changed(self, users: set[str]) -> None:
        """Note whose devices have to be asked about again before anything is written to them."""
        await self._ring.load((DEVICES, user) for user in users)
        for user in users:
            self.notices[user] = self.notices.get(user, 0) + 1
            before = self._ring.get(DEVICES, user)
            if before is not None:
                self._ring.put(DEVICES, user, {**before, "is_stale": True})

    async def load_for(self, room_id: str, events: Iterable[Event]) -> None:
        """Load what reading some events of a room takes."""
        names = {session_name(room_id, event) for event in events if _is_encrypted(event)}
        await self._ring.load((INBOUND, name) for name in names if name)

    def opened(self, room_id: str, event: Event) -> Event:
        """Return an event in plain, or as it came; what may be read later is kept."""
        if not _is_encrypted(event):
            return event
        plain = read_event(self._ring, room_id, event)
        if plain is not None:
            return plain
        name = session_name(room_id, event)
        stored = self._ring.get(INBOUND, name) if name else None
        is_refused = stored is not None and stored["sender"] not in ("", event.get("sender"))
        if name and not is_refused:
            self._keep(room_id, name, event)
        return event

    def _keep(self, room_id: str, name: str, event: Event) -> None:
        event_id = id_of(event.get("event_id"), "$")
        plain = {key: part for key, part in event.items() if key != "unsigned"}
        content = json.dumps(plain)
        if event_id and user_of(event.get("sender")) and len(content) <= MOST_CONTENT:
            self._ring.keep(Sealed(room_id, event_id, name, content))

    async def late(self, names: set[str]) -> dict[str, list[Late]]:
        """Return what was kept and can be read now, by room; what is too much for once comes later.

        Args:
            names: Of the keys that are new.
        """
        if names:
            self._ripe.append((tuple(sorted(names)), 0))
        found: dict[str, list[Late]] = {}
        count = 0
        while self._ripe and count < queries.MOST_AT_ONCE:
            wanted, after = self._ripe.pop(0)
            rows = await self._unread(wanted, after)
            count += len(rows)
            if len(rows) == queries.MOST_AT_ONCE:
                self._ripe.insert(0, (wanted, rows[-1].number))
            await self._ring.load((INBOUND, row.sealed.key_name) for row in rows)
            for n, row in enumerate(rows):
                if n % AT_ONCE == 0:
                    await asyncio.sleep(0)
                room_id, event = row.sealed.room_external_id, json.loads(row.sealed.content)
                plain = read_event(self._ring, room_id, event)
                if plain is not None:
                    found.setdefault(room_id, []).append(Late(row.number, plain))
        return found

    def look_again(self) -> None:
        """Look once more at everything that was kept: what came of the last look is not stored."""
        self._ripe = [(None, 0)]

    async def _unread(self, names: tuple[str, ...] | None, after: int) -> list[StoredSealed]:
        return await self._bridge.call(
            partial(
                queries.unread_with,
                account_id=self._account_id,
                names=names,
                kind=INBOUND,
                after=after,
            )
        )


def _is_encrypted(event: Event) -> bool:
    return event.get("type") == "m.room.encrypted" and "state_key" not in event


def _users(listed: object) -> set[str]:
    each = listed[:MOST_CHANGED] if isinstance(listed, list) else []
    return {user for one in each if (user := user_of(one))}
