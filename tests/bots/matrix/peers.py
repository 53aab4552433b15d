"""Members with an app of their own that encrypts: another implementation than ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nio

from agentapp.identity.models import Account
from agentapp.keyring.models import Unread
from agentapp.keyring.turning import turn_on
from tests.bots.matrix.world import Member, login_agent
from tests.cast import Cast
from tests.fakes.synapse import Synapse

PATIENCE = 15.0  # seconds


class Peer:
    """A member who reads and writes encrypted, on one device.

    Attributes:
        seen: What the room showed, in plain as far as this app could read it.
    """

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

    async def keeps_key_back(self, room: str) -> dict[str, Any]:
        """Make a new key for a room and give it to nobody; return what would be given."""
        await self.catches_up()
        olm = self.client.olm
        assert olm is not None
        olm.create_outbound_group_session(room)
        session = olm.outbound_group_sessions[room]
        session.mark_as_shared()
        return {
            "algorithm": "m.megolm.v1.aes-sha2",
            "room_id": room,
            "session_id": session.id,
            "session_key": session.session_key,
        }

    async def gives(self, user_id: str, content: dict[str, Any], kind: str = "m.room_key") -> None:
        """Write to every device of somebody."""
        client, olm = self.client, self.client.olm
        assert olm is not None
        olm.users_for_key_query.add(user_id)
        await client.keys_query()
        devices = list(client.device_store.active_user_devices(user_id))
        assert devices
        for device in devices:
            if olm.session_store.get(device.curve25519) is None:
                await client.keys_claim({user_id: [device.id]})
            session = olm.session_store.get(device.curve25519)
            sealed = olm._olm_encrypt(session, device, kind, content)
            message = nio.ToDeviceMessage("m.room.encrypted", user_id, device.id, sealed)
            answer = await client.to_device(message)
            assert isinstance(answer, nio.ToDeviceResponse), answer

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


def encrypting(cast: Cast, synapse: Synapse, ada: Member) -> Account:
    """Give Ada a login that reads and writes encrypted rooms."""
    account = login_agent(cast, cast.ada, synapse, ada)
    turn_on(account_id=account.pk, password="", by=cast.root)
    return account


def unread_of(account: Account) -> int:
    """Return how much a login keeps that it cannot read yet."""
    return Unread.objects.filter(keyring=account.pk).count()


def session_ids(events: list[dict[str, Any]], sender: str) -> list[str]:
    """Return with which key of the room each message of somebody's was written."""
    return [
        str(event["content"]["session_id"])
        for event in events
        if event["type"] == "m.room.encrypted" and event["sender"] == sender and event["content"]
    ]
