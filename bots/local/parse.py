"""What a web room shows of a piece: read from the record, which is the platform here."""

from __future__ import annotations

from django.db.models import QuerySet

from agentapp.conversation.models import Message, Reaction
from agentapp.conversation.queries import message_id_of
from agentapp.foundation.envelope import Outgoing, Receipt


def parse_receipt(outgoing: Outgoing) -> Receipt | None:
    """Return the receipt of a piece that is in its room, None when it is not. One query."""
    if outgoing.kind == "retract":
        return _retracted(outgoing)
    if outgoing.kind == "edit":
        return _corrected(outgoing)
    if outgoing.kind == "reaction":
        is_there = _reactions(outgoing, message=outgoing.reply_to).filter(is_present=True).exists()
        return Receipt(outgoing.dedupe_key) if is_there else None
    message_id = message_id_of(
        workspace_id=outgoing.workspace_id,
        platform=outgoing.platform,
        room_external_id=outgoing.room_external_id,
        external_id=outgoing.dedupe_key,
    )
    return Receipt(outgoing.dedupe_key, message_id=message_id) if message_id else None


def _corrected(outgoing: Outgoing) -> Receipt | None:
    """Return the receipt of a correction whose words are shown."""
    external_id = str(outgoing.extra["external_id"])
    shown = Message.objects.filter(
        room__workspace_id=outgoing.workspace_id,
        room__platform=outgoing.platform,
        room__external_id=outgoing.room_external_id,
        external_id=external_id,
        text=outgoing.text,
        deleted_at__isnull=True,
    )
    message_id = shown.values_list("pk", flat=True).first()
    return Receipt(external_id, message_id=message_id) if message_id else None


def is_reaction(outgoing: Outgoing) -> bool:
    """Say whether what is taken back was an emoji rather than a message."""
    return outgoing.extra.get("kind") == "reaction"


def _retracted(outgoing: Outgoing) -> Receipt | None:
    external_id = str(outgoing.extra["external_id"])
    if is_reaction(outgoing):
        message = str(outgoing.extra.get("reply_to", ""))
        is_gone = not _reactions(outgoing, message=message).filter(is_present=True).exists()
    else:
        is_gone = Message.objects.filter(
            room__workspace_id=outgoing.workspace_id,
            room__platform=outgoing.platform,
            room__external_id=outgoing.room_external_id,
            external_id=external_id,
            deleted_at__isnull=False,
        ).exists()
    return Receipt(external_id) if is_gone else None


def _reactions(outgoing: Outgoing, *, message: str) -> QuerySet[Reaction]:
    return Reaction.objects.filter(
        message__room__workspace_id=outgoing.workspace_id,
        message__room__platform=outgoing.platform,
        message__room__external_id=outgoing.room_external_id,
        message__external_id=message,
        identity__external_id=outgoing.author_external_id,
        emoji=outgoing.emoji,
    )
