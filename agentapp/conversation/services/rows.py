"""The rows of messages: written, found, and completed when a change of one came first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from agentapp.conversation import rules
from agentapp.conversation.models import Message
from agentapp.conversation.rules import Said
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import planned, prepared
from agentapp.identity.models import Room

INSERT = """
INSERT INTO agentapp_message
    (workspace_id, room_id, external_id, author_id, is_known, raw, text, is_shortened,
     reply_to_id, sent_at)
SELECT workspace_id, room_id, external_id, author_id, is_known, raw, text, is_shortened,
    reply_to_id, coalesce(sent_at, greenroom_now())
FROM unnest(%(workspace_id)s::bigint[], %(room_id)s::bigint[], %(external_id)s::text[],
    %(author_id)s::bigint[], %(is_known)s::bool[], %(raw)s::bytea[], %(text)s::text[],
    %(is_shortened)s::bool[], %(reply_to_id)s::bigint[], %(sent_at)s::timestamptz[])
    WITH ORDINALITY AS new(workspace_id, room_id, external_id, author_id, is_known, raw, text,
        is_shortened, reply_to_id, sent_at, n)
ORDER BY n
ON CONFLICT (room_id, external_id) DO NOTHING
RETURNING room_id, external_id, id
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
class Row:
    """A message's columns. Without an author and not known, it only holds a place."""

    workspace_id: int
    room_id: int
    external_id: str
    author_id: int | None = None
    is_known: bool = False
    raw: bytes | None = None
    text: str = ""
    is_shortened: bool = False
    reply_to_id: int | None = None
    sent_at: datetime | None = None

    @property
    def place(self) -> tuple[int, str]:
        """What makes a message one: its room and the platform's id."""
        return self.room_id, self.external_id


_COLUMNS = tuple(field.name for field in fields(Row))


def insert(rows: Sequence[Row]) -> dict[tuple[int, str], int]:
    """Write rows in one statement; return the ids of those that were not there, by place."""
    columns = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
    with planned() as cursor:
        cursor.execute(INSERT, columns)
        return {(room_id, external_id): pk for room_id, external_id, pk in cursor.fetchall()}


def stub(room: Room, external_id: str) -> Message:
    """Return a message's row; of one that has not arrived yet an empty one, made now."""
    key = rules.stored_id(external_id)
    message = _with_external_id.first(room_id=room.pk, external_id=key)
    if message is not None:
        return message
    insert([Row(room.workspace_id, room.pk, key)])
    return Message.objects.get(room=room, external_id=key)


@prepared
def _with_external_id(room_id: int, external_id: str) -> QuerySet[Message]:
    return Message.objects.filter(room_id=room_id, external_id=external_id)


def completed(there: Message, row: Row) -> int:
    """Make a known message of a row that a change of it had left; return its new id."""
    said = said_of(there)
    after = rules.arrived(said, text=row.text)
    changes: dict[str, object] = {
        "is_known": after.is_known,
        "text": after.text,
        "author_id": row.author_id,
        "reply_to_id": row.reply_to_id,
        "sent_at": row.sent_at or GreenroomNow(),
    }
    if rules.takes_original(said):
        changes |= {"raw": row.raw, "is_shortened": row.is_shortened}
    Message.objects.filter(pk=there.pk).update(**changes)
    with connection.cursor() as cursor:
        cursor.execute(RENUMBER, {"id": there.pk})
        (renumbered,) = cursor.fetchone()
    return int(renumbered)


def said_of(message: Message) -> Said:
    """Return what a row says, for the rules that order its changes."""
    return Said(message.text, message.is_known, message.edited_at, message.deleted_at)
