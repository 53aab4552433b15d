"""What is asked of the homeserver about keys. It holds public halves only, and may lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bots.matrix.crypt.olm import Target
from bots.matrix.transport import CLIENT, MAX_SYNC, Homeserver
from bots.matrix.wire import Request

REMOTE_MS = 2_000  # that it may wait for other homeservers
SECONDS = 4.5


class KeyRequests:
    """One login's requests about keys."""

    def __init__(self, server: Homeserver) -> None:
        self._server = server

    async def upload(self, body: Mapping[str, object]) -> None:
        """Show public keys of this device."""
        await self._server.call(Request("POST", f"{CLIENT}/keys/upload", body=body))

    async def devices_of(self, users: Collection[str]) -> dict[str, Any]:
        """Return what the homeserver says of users' devices and identities."""
        asked: dict[str, object] = {user: [] for user in sorted(users)}
        body = {"device_keys": asked, "timeout": REMOTE_MS}
        return await self._server.call(
            Request("POST", f"{CLIENT}/keys/query", body=body, seconds=SECONDS, most=MAX_SYNC)
        )

    async def claim(self, targets: Sequence[Target]) -> dict[str, Any]:
        """Take one one-time key of each of some devices."""
        wanted: dict[str, dict[str, str]] = {}
        for target in targets:
            wanted.setdefault(target.user_id, {})[target.device_id] = "signed_curve25519"
        body = {"one_time_keys": wanted, "timeout": REMOTE_MS}
        found = await self._server.call(
            Request("POST", f"{CLIENT}/keys/claim", body=body, seconds=SECONDS, most=MAX_SYNC)
        )
        keys = found.get("one_time_keys")
        return keys if isinstance(keys, dict) else {}

    async def send(self, messages: Mapping[str, object], key: str) -> None:
        """Write to devices, once per key."""
        path = f"{CLIENT}/sendToDevice/m.room.encrypted/{quote(key, safe='')}"
        body = {"messages": messages}
        await self._server.call(Request("PUT", path, body=body, seconds=SECONDS))
