"""Writes of what was said. The caller's transaction holds the room's lock (see `locked_room`).

That lock makes message ids become visible in their order inside a room, and changes of one message
follow each other instead of racing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from agentapp.conversation import rules
from agentapp.conversation.models import FeedItem, Message, Reaction
from agentapp.conversation.rules import Said, Shown
from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import prepared
from agentapp.foundation.text import TRUNCATED, normalised, one_line, raw_bytes
from agentapp.identity.models import Identity, Room

MAX_EMOJI = 64  # characters

Column = int | str | bytes | datetime | None
Columns = dict[str, Column]

INSERT = """
INSERT INTO agentapp_message
    (workspace_id, room_id, external_id, author_id, is_known, raw, text, is_shortened,
     reply_to_id, sent_at)
VALUES (%(workspace)s, %(room)s, %(external_id)s, %(author)s, %(is_known)s, %(raw)s, %(text)s,
    %(is_shortened)s, %(reply_to)s, coalesce(%(sent_at)s, greenroom_now()))
ON CONFLICT (room_id, external_id) DO NOTHING
RETURNING id
"""

# What arrives late takes its place in the room now: agents decide by id, and a lane that is
# already past the old one would never look back.
RENUMBER = """
WITH renumbered AS (
    UPDATE agentapp_message
    SET id = nextval(pg_get_serial_sequence('agentapp_message', 'id'))
    WHERE id = %(id)s RETURNING id
), reactions AS (
    UPDATE agentapp_reaction SET message_id = (SELECT id FROM renumbered)
    WHERE message_id = %(id)s
), replies AS (
    UPDATE agentapp_message SET reply_to_id = (SELECT id FROM renumbered)
    WHERE reply_to_id = %(id)s
)
SELECT id FROM renumbered
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message's row, and whether it arrived now. `is_alive` is False once it was deleted."""

    id: int
    is_new: bool
    is_alive: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """What a change did. `message_id` may be of a message that has not arrived yet."""

    message_id: int
    has_effect: bool


def locked_room(*, room_id: int) -> Room | None:
    """Lock a room for changes of what is said in it; references to it stay possible."""
    return _locked_room.first(room_id=room_id)


@prepared
def _locked_room(room_id: int) -> QuerySet[Room]:
    return (
        Room.objects.select_for_update(no_key=True, of=("self",))
        .select_related("workspace")
        .filter(pk=room_id)
    )


@prepared
def _with_external_id(room_id: int, external_id: str) -> QuerySet[Message]:
    return Message.objects.filter(room_id=room_id, external_id=external_id)


def record_message(
    *,
    room: Room,
    author: Identity,
    external_id: str,
    text: str,
    reply_to: str = "",
    mentioned: Iterable[int] = (),
    sent_at: datetime | None = None,
) -> Recorded:
    """Write a message once; the same external id again changes nothing.

    Writes: Message, its mentions, Event `message.received`. A message whose edit, deletion or
    reaction came first takes that in. A replied-to message may be unknown and arrive later.

    Args:
        room: Locked by the caller.
        author: Who wrote it.
        external_id: The platform's id.
        text: As it came; the raw bytes are kept beside the normalised text.
        reply_to: The platform's id of the answered message; "" for none.
        mentioned: Ids of the identities it names.
        sent_at: The platform's time; None is now.
    """
    key = rules.stored_id(external_id)
    clean = normalised(text)
    values: Columns = {
        "author": author.pk,
        "is_known": True,
        "raw": raw_bytes(text),
        "text": clean,
        "is_shortened": _is_shortened(clean, text),
        "reply_to": _stub(room, reply_to).pk if reply_to and reply_to != external_id else None,
        "sent_at": sent_at,
    }
    message_id = _insert(room, key, **values)
    is_alive = True
    if message_id is None:
        stub = Message.objects.get(room=room, external_id=key)
        if stub.is_known:
            return Recorded(stub.pk, is_new=False, is_alive=stub.deleted_at is None)
        message_id = _complete(stub, values)
        is_alive = stub.deleted_at is None
    _mention(message_id, mentioned)
    _record("message.received", room, message_id, author)
    return Recorded(message_id, is_new=True, is_alive=is_alive)


def apply_edit(*, room: Room, external_id: str, text: str, at: datetime) -> Change:
    """Give a message its new text unless a later edit or a deletion came before.

    Writes: Message, Event `message.edited` once the message is known.
    """
    message = _stub(room, external_id)
    clean = normalised(text)
    said = _said(message)
    after = rules.edited(said, text=clean, at=at)
    if after == said:
        return Change(message.pk, has_effect=False)
    message.edited_at = after.edited_at
    if after.text != said.text:
        message.text, message.raw = after.text, raw_bytes(text)
        message.is_shortened = _is_shortened(clean, text)
    message.save(update_fields=["edited_at", "text", "raw", "is_shortened"])
    if message.is_known and message.deleted_at is None:
        _record("message.edited", room, message.pk)
    return Change(message.pk, has_effect=True)


def apply_delete(*, room: Room, external_id: str, at: datetime) -> Change:
    """Take a message's words away for good.

    Writes: Message (its text and raw bytes go), Event `message.deleted` at the first time.
    """
    message = _stub(room, external_id)
    said = _said(message)
    after = rules.deleted(said, at=at)
    if after == said:
        return Change(message.pk, has_effect=False)
    message.deleted_at, message.text, message.raw = after.deleted_at, "", None
    message.is_shortened = False
    message.save(update_fields=["deleted_at", "text", "raw", "is_shortened"])
    if message.is_known and said.deleted_at is None:
        _record("message.deleted", room, message.pk)
    return Change(message.pk, has_effect=True)


def apply_reaction(
    *, room: Room, external_id: str, author: Identity, emoji: str, is_present: bool, at: datetime
) -> Change:
    """Put an identity's emoji on a message or take it away, unless a later change came before.

    Writes: Reaction, Event `reaction.added` or `reaction.removed`.
    """
    message = _stub(room, external_id)
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


def _insert(room: Room, external_id: str, **values: Column) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT,
            {
                "workspace": room.workspace_id,
                "room": room.pk,
                "external_id": external_id,
                **values,
            },
        )
        row = cursor.fetchone()
    return int(row[0]) if row else None


def _stub(room: Room, external_id: str) -> Message:
    """Return a message's row; of one that has not arrived yet an empty one, made now."""
    key = rules.stored_id(external_id)
    message = _with_external_id.first(room_id=room.pk, external_id=key)
    if message is not None:
        return message
    _insert(
        room,
        key,
        author=None,
        is_known=False,
        raw=None,
        text="",
        is_shortened=False,
        reply_to=None,
        sent_at=None,
    )
    return Message.objects.get(room=room, external_id=key)


def _complete(stub: Message, values: Columns) -> int:
    """Make a known message of a row that a change of it had left; return its new id."""
    said = _said(stub)
    after = rules.arrived(said, text=str(values["text"]))
    changes: dict[str, object] = {
        "is_known": after.is_known,
        "text": after.text,
        "author_id": values["author"],
        "reply_to_id": values["reply_to"],
        "sent_at": values["sent_at"] or GreenroomNow(),
    }
    if rules.takes_original(said):
        changes |= {name: values[name] for name in ("raw", "is_shortened")}
    Message.objects.filter(pk=stub.pk).update(**changes)
    with connection.cursor() as cursor:
        cursor.execute(RENUMBER, {"id": stub.pk})
        (renumbered,) = cursor.fetchone()
    return int(renumbered)


def _said(message: Message) -> Said:
    return Said(message.text, message.is_known, message.edited_at, message.deleted_at)


def _is_shortened(clean: str, text: str) -> bool:
    return clean.endswith(TRUNCATED) and not text.endswith(TRUNCATED)


def _mention(message_id: int, mentioned: Iterable[int]) -> None:
    through = Message.mentions.through
    through.objects.bulk_create(
        [through(message_id=message_id, identity_id=each) for each in sorted(set(mentioned))],
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
