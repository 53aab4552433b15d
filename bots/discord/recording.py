"""Writes what a bot has said into the record at once; its echo then changes nothing."""

from __future__ import annotations

import logging

import discord
from django.db import Error as DatabaseError

from agentapp.foundation.envelope import (
    Author,
    AuthorKind,
    Incoming,
    IncomingEdit,
    Outgoing,
    Place,
)
from agentapp.foundation.errors import AgentError
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake import services as intake
from bots.bridge import Bridge
from bots.discord.parse import PLATFORM

logger = logging.getLogger(__name__)


async def recorded(
    outgoing: Outgoing, external_id: str, *, account: HeldAccount, bridge: Bridge
) -> int | None:
    """Record an own message or correction; return its message's id.

    If that fails the echo brings it all the same, only later.
    """
    try:
        if outgoing.kind == "edit":
            return await bridge.call(intake.accept_edit, _as_edit(outgoing))
        if outgoing.kind not in {"message", "file"}:
            return None
        incoming = _as_incoming(outgoing, external_id, account)
        return (await bridge.call(intake.accept, incoming)).message_id
    except (DatabaseError, AgentError) as error:
        logger.warning("an own message waits for its echo: %s", type(error).__name__)
        return None


def is_post(client: discord.Client, outgoing: Outgoing) -> bool:
    """Say whether a message opened a thread of its own in a forum."""
    return isinstance(client.get_channel(int(outgoing.room_external_id)), discord.ForumChannel)


def _as_incoming(outgoing: Outgoing, external_id: str, account: HeldAccount) -> Incoming:
    return Incoming(
        workspace_id=outgoing.workspace_id,
        platform=PLATFORM,
        place=Place(outgoing.room_external_id),
        external_id=external_id,
        author=Author(account.external_id, account.name, AuthorKind.AGENT),
        text=outgoing.text,
        reply_to=outgoing.reply_to or str(outgoing.extra.get("follows", "")),
        files=outgoing.files(),
    )


def _as_edit(outgoing: Outgoing) -> IncomingEdit:
    return IncomingEdit(
        workspace_id=outgoing.workspace_id,
        platform=PLATFORM,
        place=Place(outgoing.room_external_id),
        external_id=str(outgoing.extra["external_id"]),
        text=outgoing.text,
    )
