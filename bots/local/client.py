"""The built-in web rooms as a platform: what is sent there is taken in like anybody's words.

Sending is idempotent by the unique (room, external id) of messages: the piece's key is the id.
"""

from __future__ import annotations

from agentapp.conversation.queries import message_id_of
from agentapp.foundation.envelope import Outgoing, Receipt
from agentapp.foundation.errors import NotFound
from agentapp.intake import services as intake
from bots.bridge import Bridge
from bots.connector import SendFailed
from bots.local import render

PLATFORM = "local"


class LocalConnector:
    """Puts pieces into web rooms."""

    platform = PLATFORM

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Write a message, put a reaction, or take one of them back."""
        try:
            return await self._bridge.call(_put, outgoing)
        except NotFound as gone:
            raise SendFailed(gone.message, final=True) from gone

    async def read_back(self, outgoing: Outgoing) -> Receipt | None:
        """Look the piece up by its key; reactions and removals are simply done again."""
        if outgoing.kind != "message":
            return None
        found = await self._bridge.call(
            message_id_of,
            workspace_id=outgoing.workspace_id,
            platform=PLATFORM,
            room_external_id=outgoing.room_external_id,
            external_id=outgoing.dedupe_key,
        )
        return Receipt(outgoing.dedupe_key, message_id=found) if found else None


def _put(outgoing: Outgoing) -> Receipt:
    if outgoing.kind == "reaction":
        intake.accept_reaction(render.reaction(outgoing, present=True))
        return Receipt(outgoing.dedupe_key)
    if outgoing.kind == "retract":
        if outgoing.extra.get("kind") == "reaction":
            intake.accept_reaction(render.reaction(outgoing, present=False))
        else:
            intake.accept_delete(render.removal(outgoing))
        return Receipt(outgoing.dedupe_key)
    accepted = intake.accept(render.message(outgoing))
    return Receipt(outgoing.dedupe_key, message_id=accepted.message_id)
