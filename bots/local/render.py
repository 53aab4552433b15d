"""A piece for a web room, in the words that intake understands."""

from __future__ import annotations

from agentapp.foundation.envelope import (
    Author,
    AuthorKind,
    Incoming,
    IncomingDelete,
    IncomingEdit,
    IncomingReaction,
    Outgoing,
    Place,
)


def render_message(outgoing: Outgoing, *, name: str) -> Incoming:
    """Return a message as its agent says it; its key makes it one however often it is said."""
    return Incoming(
        workspace_id=outgoing.workspace_id,
        platform=outgoing.platform,
        place=Place(external_id=outgoing.room_external_id),
        external_id=outgoing.dedupe_key,
        author=_author(outgoing, name),
        text=outgoing.text,
        reply_to=outgoing.reply_to,
        files=outgoing.files(),
    )


def render_edit(outgoing: Outgoing) -> IncomingEdit:
    """Return new words for an own message."""
    return IncomingEdit(
        workspace_id=outgoing.workspace_id,
        platform=outgoing.platform,
        place=Place(external_id=outgoing.room_external_id),
        external_id=str(outgoing.extra["external_id"]),
        text=outgoing.text,
    )


def render_reaction(outgoing: Outgoing, *, name: str, present: bool = True) -> IncomingReaction:
    """Return an emoji put on the message answered, or taken away from it."""
    target = outgoing.reply_to if present else str(outgoing.extra.get("reply_to", ""))
    return IncomingReaction(
        workspace_id=outgoing.workspace_id,
        platform=outgoing.platform,
        place=Place(external_id=outgoing.room_external_id),
        message_external_id=target,
        author=_author(outgoing, name),
        emoji=outgoing.emoji,
        present=present,
    )


def render_deletion(outgoing: Outgoing) -> IncomingDelete:
    """Return the taking back of a message."""
    return IncomingDelete(
        workspace_id=outgoing.workspace_id,
        platform=outgoing.platform,
        place=Place(external_id=outgoing.room_external_id),
        external_id=str(outgoing.extra["external_id"]),
    )


def _author(outgoing: Outgoing, name: str) -> Author:
    return Author(external_id=outgoing.author_external_id, name=name, kind=AuthorKind.AGENT)
