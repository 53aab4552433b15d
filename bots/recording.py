"""Writes what an agent said on a platform into the record at once; its echo changes nothing."""

from __future__ import annotations

import logging

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

logger = logging.getLogger(__name__)


async def recorded(
    outgoing: Outgoing, event_id: str, *, account: HeldAccount, bridge: Bridge
) -> int | None:
    """Record an own message or correction; return its message's id.

    If that fails the echo brings it all the same, only later.
    """
    try:
        if outgoing.kind == "edit":
            return await bridge.call(intake.accept_edit, _as_edit(outgoing, account.platform))
        if outgoing.kind not in {"message", "file"}:
            return None
        incoming = _as_incoming(outgoing, event_id, account)
        return (await bridge.call(intake.accept, incoming)).message_id
    except (DatabaseError, AgentError) as error:
        logger.warning("an own message waits for its echo: %s", type(error).__name__)
        return None


def _as_edit(outgoing: Outgoing, platform: str) -> IncomingEdit:
    return IncomingEdit(
        workspace_id=outgoing.workspace_id,
        platform=platform,
        place=Place(outgoing.room_external_id),
        external_id=str(outgoing.extra["external_id"]),
        text=outgoing.text,
    )


def _as_incoming(outgoing: Outgoing, event_id: str, account: HeldAccount) -> Incoming:
    return Incoming(
        workspace_id=outgoing.workspace_id,
        platform=account.platform,
        place=Place(outgoing.room_external_id),
        external_id=event_id,
        author=Author(account.external_id, account.name, AuthorKind.AGENT),
        text=outgoing.text,
        reply_to=outgoing.reply_to or str(outgoing.extra.get("follows", "")),
        files=outgoing.files(),
    )
