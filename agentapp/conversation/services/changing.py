"""Changes of what was said: new words, no words, emojis; and what agents should notice of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agentapp.conversation import rules
from agentapp.conversation.models import FeedItem, Reaction
from agentapp.conversation.rules import Shown
from agentapp.conversation.services.attaching import detach_all
from agentapp.conversation.services.rows import said_of, stub
from agentapp.events import services as events
from agentapp.foundation.text import is_shortened, normalised, one_line, raw_bytes
from agentapp.identity.models import Identity, Room

MAX_EMOJI = 64  # characters


@dataclass(frozen=True, slots=True)
class Change:
    """What a change did. `message_id` may be of a message that has not arrived yet."""

    message_id: int
    has_effect: bool


def apply_edit(*, room: Room, external_id: str, text: str, at: datetime) -> Change:
    """Give a message its new text unless a later edit or a deletion came before.

    The same words told again with a later time change nothing but that time.

    Writes: Message, Event `message.edited` once the message is known.
    """
    message = stub(room, external_id)
    clean = normalised(text)
    said = said_of(message)
    after = rules.edited(said, text=clean, at=at)
    if after == said:
        return Change(message.pk, has_effect=False)
    message.edited_at = after.edited_at
    is_new = after.text != said.text or said.edited_at is None
    if after.text != said.text:
        message.text, message.raw = after.text, raw_bytes(text)
        message.is_shortened = is_shortened(clean, text)
    message.save(update_fields=["edited_at", "text", "raw", "is_shortened"])
    if is_new and message.is_known and message.deleted_at is None:
        _record("message.edited", room, message.pk)
    return Change(message.pk, has_effect=is_new)


def apply_delete(*, room: Room, external_id: str, at: datetime) -> Change:
    """Take a message's words away for good.

    Writes: Message (its text, raw bytes and files go), Event `message.deleted` at the first time.
    """
    message = stub(room, external_id)
    said = said_of(message)
    after = rules.deleted(said, at=at)
    if after == said:
        return Change(message.pk, has_effect=False)
    message.deleted_at, message.text, message.raw = after.deleted_at, "", None
    message.is_shortened = False
    message.save(update_fields=["deleted_at", "text", "raw", "is_shortened"])
    if message.file_count:
        detach_all(message_id=message.pk)
    if message.is_known and said.deleted_at is None:
        _record("message.deleted", room, message.pk)
    return Change(message.pk, has_effect=True)


def apply_reaction(
    *, room: Room, external_id: str, author: Identity, emoji: str, is_present: bool, at: datetime
) -> Change:
    """Put an identity's emoji on a message or take it away, unless a later change came before.

    Writes: Reaction, Event `reaction.added` or `reaction.removed`.
    """
    message = stub(room, external_id)
    shape = one_line(emoji, limit=MAX_EMOJI) or "\ufffd"
    row = Reaction.objects.filter(message=message, identity=author, emoji=shape).first()
    before = Shown(row.is_present, row.changed_at) if row else None
    after = rules.reacted(before, Shown(is_present, at))
    if after == before:
        return Change(message.pk, has_effect=False)
    if row is None:
        row = Reaction(message=message, identity=author, emoji=shape)
    row.is_present, row.changed_at = after.is_present, after.changed_at
    row.save()
    was_shown = before is not None and before.is_present
    if was_shown == after.is_present:
        return Change(message.pk, has_effect=False)
    if message.is_known:
        kind = "reaction.added" if after.is_present else "reaction.removed"
        _record(kind, room, message.pk, author, {"emoji": shape})
    return Change(message.pk, has_effect=True)


def notice(*, items: Sequence[tuple[int, int, str]]) -> None:
    """Put messages before agents as (agent id, message id, reason); what is there already stays."""
    FeedItem.objects.bulk_create(
        [
            FeedItem(agent_id=agent_id, message_id=message_id, reason=reason[:80])
            for agent_id, message_id, reason in items
        ],
        ignore_conflicts=True,
    )


def _record(
    kind: str,
    room: Room,
    message_id: int,
    author: Identity | None = None,
    payload: dict[str, object] | None = None,
) -> None:
    events.record(
        type=kind,
        subject_kind="message",
        subject_id=message_id,
        workspace_id=room.workspace_id,
        room_id=room.pk,
        agent_id=author.agent_id if author else None,
        actor_id=author.user_id if author else None,
        actor_kind=str(author.kind) if author else "",
        payload=payload,
    )
