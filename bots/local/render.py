"""Pieces in the shape in which web rooms take them in."""

from __future__ import annotations

from agentapp.foundation.envelope import (
    Author,
    AuthorKind,
    Incoming,
    IncomingDelete,
    IncomingReaction,
    Outgoing,
    Place,
)


def message(outgoing: Outgoing) -> Incoming:
    """Return a piece as the message it becomes."""
    return Incoming(
        workspace_id=outgoing.workspace_id,
        platform=outgoing.platform,
        place=Place(external_id=outgoing.room_external_id),
        external_id=outgoing.dedupe_key,
        author=_author(outgoing),
        text=outgoing.text,
        reply_to=outgoing.reply_to,
    )


def reaction(outgoing: Outgoing, *, present: bool) -> IncomingReaction:
    """Return a piece as the reaction it puts or takes away."""
    target = str(outgoing.extra.get("reply_to") or outgoing.reply_to)
    return IncomingReaction(
        workspace_id=outgoing.workspace_id,
        platform=outgoing.platform,
        place=Place(external_id=outgoing.room_external_id),
        message_external_id=target,
        author=_author(outgoing),
        emoji=outgoing.emoji,
        present=present,
    )


def removal(outgoing: Outgoing) -> IncomingDelete:
    """Return the removal of a message published before."""
    return IncomingDelete(
        workspace_id=outgoing.workspace_id,
        platform=outgoing.platform,
        place=Place(external_id=outgoing.room_external_id),
        external_id=str(outgoing.extra["external_id"]),
    )


def _author(outgoing: Outgoing) -> Author:
    return Author(external_id=outgoing.author_external_id, name="", kind=AuthorKind.AGENT)
