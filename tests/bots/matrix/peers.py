"""Members with an app of their own that encrypts: another implementation than ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nio

from tests.bots.matrix.world import Member
from tests.fakes.synapse import Synapse

PATIENCE = 15.0  # seconds


class Peer:
    """A member who reads and writes encrypted, on one device."""

    def __init__(self, synapse: Synapse, member: Member, folder: Path) -> None:
        self.member, self.user_id = member, member.user_id
        config = nio.AsyncClientConfig(
            encryption_enabled=True, max_limit_exceeded=3, max_timeouts=3, request_timeout=15
        )
        folder.mkdir(parents=True, exist_ok=True)
        user = member.user
        self.client = nio.AsyncClient(
            synapse.url, user.user_id, user.device_id, store_path=str(folder), config=config
        )
        self.client.restore_login(user.user_id, user.device_id, user.token)
        self.seen: list[nio.Event] = []
        self.client.add_event_callback(self._note, nio.Event)

    async def _note(self, _room: nio.MatrixRoom, event: nio.Event) -> None:
        self.seen.append(event)

    async def catches_up(self) -> None:
        """Read what is new and do what an app then does with keys."""
        client = self.client
        is_first = not client.next_batch
        answer = await client.sync(timeout=0, full_state=is_first)
        assert isinstance(answer, nio.SyncResponse), answer
        await client.send_to_device_messages()
        if client.should_upload_keys:
            await client.keys_upload()
        if client.should_query_keys:
            await client.keys_query()

    async def sends(self, room: str, content: dict[str, Any]) -> str:
        await self.catches_up()
        answer = await self.client.room_send(
            room, "m.room.message", content, ignore_unverified_devices=True
        )
        assert isinstance(answer, nio.RoomSendResponse), answer
        return str(answer.event_id)

    async def says(self, room: str, body: str, **content: Any) -> str:
        text = {"msgtype": "m.text", "body": body, "m.mentions": {}, **content}
        return await self.sends(room, text)

    async def hears(self, sender: str, *bodies: str) -> list[nio.RoomMessageText]:
        """Wait until these are somebody's words, once each and in this order."""
        give_up = time.monotonic() + PATIENCE
        while True:
            await self.catches_up()
            found = self.heard(sender)
            if [event.body for event in found] == list(bodies):
                return found
            assert time.monotonic() < give_up, ([e.body for e in found], self.unread())
            await asyncio.sleep(0.05)

    def heard(self, sender: str) -> list[nio.RoomMessageText]:
        return [
            event
            for event in self.seen
            if isinstance(event, nio.RoomMessageText) and event.sender == sender
        ]

    def unread(self) -> list[nio.MegolmEvent]:
        return [event for event in self.seen if isinstance(event, nio.MegolmEvent)]


@asynccontextmanager
async def peer(synapse: Synapse, member: Member, folder: Path) -> AsyncIterator[Peer]:
    """Have a member's app open until the block ends."""
    one = Peer(synapse, member, folder)
    try:
        await one.catches_up()
        yield one
    finally:
        await one.client.close()


def encrypted_room(owner: Member, *others: Member, **fields: object) -> str:
    """Open a room in which everything is encrypted, with everybody inside."""
    state = {
        "type": "m.room.encryption",
        "state_key": "",
        "content": {"algorithm": "m.megolm.v1.aes-sha2"},
    }
    ids = [other.user_id for other in others]
    room = owner.opens(*ids, **{"initial_state": [state], **fields})
    for other in others:
        other.joins(room)
    return room
