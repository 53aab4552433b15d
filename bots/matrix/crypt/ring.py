"""A login's keys in memory: read when they are needed, changed here, stored together or not at all.

One turn at a time works on them. A turn ends with everything stored, or everything that it had
read is forgotten; what stands in the record is then read again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from django.db import transaction

from agentapp.foundation import faults
from agentapp.foundation.errors import AgentError
from agentapp.identity.services.leases import HeldAccount
from agentapp.keyring import queries
from agentapp.keyring.changes import KeyChanges, KeyName, KeyText, Sealed
from agentapp.keyring.queries import OpenedRing, ReadKeys
from agentapp.keyring.services import KeysMoved, write_keys
from bots.bridge import Bridge

MOST_CACHED = 5_000  # keys
ACCOUNT = "account"  # the device's own keys
IDENTITY = "identity"  # the three keys that a user signs devices with
OLM = "olm"  # what the pair of devices agreed on, by the other one's key
INBOUND = "inbound"  # what others' messages in a room are read with
OUTBOUND = "outbound"  # what is written in a room with
DEVICES = "devices"  # of a user
PARCEL = "parcel"  # messages to devices that are on their way
WRITTEN = "written"  # ciphertext that is on its way into a room, by its piece's key

Value = dict[str, Any]
T = TypeVar("T")


class NotLoaded(AgentError):
    """A key was used without having been read."""


class Ring:
    """The keys of one login, as the holder of its lease knows them."""

    def __init__(self, *, bridge: Bridge, account: HeldAccount, opened: OpenedRing) -> None:
        self.device = opened.device
        self.now = 0.0  # seconds, by the record's clock, when keys were last read
        self._bridge = bridge
        self._account = account
        self._version: int | None = opened.version
        self._lock = asyncio.Lock()
        self._cache: dict[KeyName, tuple[Value, str] | None] = {}
        self._changed: set[KeyName] = set()
        self._kept: list[Sealed] = []
        self._read: list[int] = []
        self._gone: list[tuple[str, str]] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Work on the keys alone; what was not stored at the end is forgotten."""
        async with self._lock:
            try:
                if len(self._cache) > MOST_CACHED:
                    self._forget()
                yield
            except BaseException:
                self._forget()
                raise
            if self._is_changed():
                self._forget()

    async def load(self, names: Iterable[KeyName]) -> None:
        """Read keys that are not known here; afterwards `get` knows them, also as missing.

        Raises:
            KeysMoved: Somebody else changed the keys.
        """
        missing = {name for name in names if name not in self._cache}
        if not missing:
            return
        found = await self._bridge.call(
            partial(queries.keys_named, account_id=self._account.account_id, names=missing)
        )
        self._take(found)
        for name in missing:
            self._cache.setdefault(name, None)

    async def load_kind(self, kind: str) -> list[str]:
        """Read all keys of a kind; return their names, the oldest first."""
        found = await self._bridge.call(
            partial(queries.keys_of_kind, account_id=self._account.account_id, kind=kind)
        )
        self._take(found)
        return [name for _, name in found.keys]

    def _take(self, found: ReadKeys) -> None:
        if self._version is None:
            self._version = found.version
        if found.version != self._version:
            raise KeysMoved
        self.now = found.now.timestamp()
        for name, key in found.keys.items():
            self._cache.setdefault(name, (json.loads(key.text), key.owner))

    def get(self, kind: str, name: str = "") -> Value | None:
        """Return a key that was loaded, or None where there is none. To change it, `put` it."""
        try:
            found = self._cache[kind, name]
        except KeyError:
            raise NotLoaded from None
        return found[0] if found else None

    def put(self, kind: str, name: str, value: Value, *, owner: str = "") -> None:
        """Change a key, or add one."""
        self._cache[kind, name] = (value, owner)
        self._changed.add((kind, name))

    def drop(self, kind: str, name: str) -> None:
        """Take a key away."""
        self._cache[kind, name] = None
        self._changed.add((kind, name))

    def keep(self, sealed: Sealed) -> None:
        """Keep something that cannot be read yet."""
        self._kept.append(sealed)

    def done(self, number: int) -> None:
        """Let go of something that was kept."""
        self._read.append(number)

    def removed(self, room_id: str, event_id: str) -> None:
        """Let go of an event that was removed in its room, if it was kept."""
        self._kept = [
            one
            for one in self._kept
            if (one.room_external_id, one.external_id) != (room_id, event_id)
        ]
        self._gone.append((room_id, event_id))

    def changes(self) -> KeyChanges:
        """Return what has to be stored."""
        put = {name: found for name in self._changed if (found := self._cache[name])}
        return KeyChanges(
            version=self._version or 0,
            put={name: KeyText(json.dumps(value), owner) for name, (value, owner) in put.items()},
            dropped=frozenset(self._changed - set(put)),
            kept=tuple(self._kept),
            read=tuple(self._read),
            gone=tuple(self._gone),
        )

    def stored(self) -> None:
        """Note that the changes stand in the record, in one transaction with something else."""
        if not self._is_changed():
            return
        self._version = (self._version or 0) + 1
        self._clear()

    async def store(self) -> None:
        """Store what was changed, in a transaction of its own.

        Raises:
            KeysMoved: Another process runs this login, or somebody changed its keys.
        """
        if not self._is_changed():
            return
        await unbroken(
            self._bridge.call(
                partial(_write, account=self._account, changes=self.changes()),
            )
        )
        faults.passing("keys.written")
        self.stored()

    def _is_changed(self) -> bool:
        return bool(self._changed or self._kept or self._read or self._gone)

    def _clear(self) -> None:
        self._changed.clear()
        self._kept.clear()
        self._read.clear()
        self._gone.clear()

    def _forget(self) -> None:
        self._cache.clear()
        self._clear()
        self._version = None


def _write(*, account: HeldAccount, changes: KeyChanges) -> None:
    with transaction.atomic():
        write_keys(account_id=account.account_id, fence=account.fence, changes=changes)


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Wait for something to end also when the waiting is cancelled; then be cancelled.

    A transaction that goes on unseen would change keys behind the back of whoever comes next.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
