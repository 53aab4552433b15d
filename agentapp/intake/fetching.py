"""Files of platforms: noted with their messages, fetched afterwards by whoever holds a login there.

The row is the work: it is leased, counted before it is tried and tried again later, so nothing is
forgotten when a process ends in between.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction

from agentapp.conversation import services as conversation
from agentapp.conversation.models import Attachment
from agentapp.files.services import Examined, examine, most_bytes, refuse_when_full, store
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import AgentError
from agentapp.identity.models import Room
from agentapp.intake import lanes, wakeups

LEASE_SECONDS = 90.0
BACK_OFF_SECONDS = (5, 30, 120, 600, 3_600)  # after the first, second … attempt
MAX_ATTEMPTS = 12
GIVEN_UP_AFTER = timedelta(days=1)  # without anybody in the room who could fetch it
State = Attachment.State

CLAIM = """
WITH due AS MATERIALIZED (
    SELECT wanted.id, login.account_id, message.room_id
    FROM agentapp_attachment wanted
    JOIN agentapp_message message ON message.id = wanted.message_id
    CROSS JOIN LATERAL (
        SELECT member.account_id FROM agentapp_membership member
        WHERE member.room_id = message.room_id AND member.left_at IS NULL
            AND member.state <> 'invited' AND member.account_id = ANY(%(accounts)s)
        ORDER BY member.id LIMIT 1
    ) login
    WHERE wanted.state = 'wanted' AND wanted.due_at <= (SELECT greenroom_now())
        AND (wanted.lease_until IS NULL OR wanted.lease_until <= (SELECT greenroom_now()))
    ORDER BY wanted.due_at, wanted.id LIMIT %(limit)s
    FOR NO KEY UPDATE OF wanted SKIP LOCKED
)
UPDATE agentapp_attachment claimed
SET attempts = claimed.attempts + 1, holder = %(holder)s,
    lease_until = greenroom_now() + make_interval(secs => %(lease)s)
FROM due WHERE claimed.id = due.id
RETURNING claimed.id, due.account_id, due.room_id, claimed.source
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that `holder` has to fetch with one login, at most `most` bytes of it."""

    attachment_id: int
    holder: str
    account_id: uuid.UUID
    source: str
    most: int


def claim_due(*, holder: str, accounts: Sequence[uuid.UUID], limit: int) -> list[Wanted]:
    """Take files that one of these logins can fetch, the longest waiting first.

    What no longer fits into its room today is refused here, before a byte of it is asked for.
    Writes: Attachment, Event `message.file` (refused).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            {
                "accounts": list(accounts),
                "limit": limit,
                "holder": holder,
                "lease": LEASE_SECONDS,
            },
        )
        claimed = cursor.fetchall()
    rooms = Room.objects.select_related("workspace").in_bulk({row[2] for row in claimed})
    wanted = []
    for pk, account_id, room_id, source in claimed:
        try:
            refuse_when_full(room=rooms[room_id])
        except AgentError as full:
            refuse(Wanted(pk, holder, account_id, source, 0), reason=full.message)
        else:
            wanted.append(Wanted(pk, holder, account_id, source, most_bytes(rooms[room_id])))
    return wanted


def keep(wanted: Wanted, *, content: bytes) -> bool:
    """Look into a fetched file and keep it, or note why not.

    Opens pictures, so it takes its time before the transaction. Writes: Attachment, StoredFile,
    FileBytes, Lane (agents that waited for it), Event `message.file`. Returns False when the
    message is gone or somebody else fetched it.
    """
    row = (
        Attachment.objects.select_related("message__room__workspace")
        .filter(pk=wanted.attachment_id, holder=wanted.holder, state=State.WANTED)
        .first()
    )
    if row is None:
        return False
    room = row.message.room
    try:
        examined = examine(row.name, content, most=most_bytes(room))
        faults.passing("file.examined")
        with transaction.atomic():
            return _keep(wanted, examined)
    except AgentError as error:
        return refuse(wanted, reason=error.message)


def _keep(wanted: Wanted, examined: Examined) -> bool:
    held = _held(wanted)
    if held is None:
        return False
    attachment, room = held
    stored = store(examined, room=room)
    conversation.settle_file(
        attachment=attachment, room=room, state=State.KEPT, file=stored, reason=""
    )
    _settled(attachment, room)
    return True


@transaction.atomic
def refuse(wanted: Wanted, *, reason: str, is_lost: bool = False) -> bool:
    """Note that a file is not kept, and why; with `is_lost` that it could not be had.

    Writes: Attachment, Lane, Event `message.file`. Returns False when somebody else settled it.
    """
    held = _held(wanted)
    if held is None:
        return False
    attachment, room = held
    state = State.FAILED if is_lost else State.REFUSED
    conversation.settle_file(
        attachment=attachment, room=room, state=state, file=None, reason=reason
    )
    _settled(attachment, room)
    return True


def put_off(wanted: Wanted, *, reason: str) -> None:
    """Leave a file for a later attempt; after the last one it counts as lost."""
    mine = Attachment.objects.filter(
        pk=wanted.attachment_id, holder=wanted.holder, state=State.WANTED
    )
    row = mine.first()
    if row is None:
        return
    if row.attempts >= MAX_ATTEMPTS:
        refuse(wanted, reason=reason, is_lost=True)
        return
    wait = BACK_OFF_SECONDS[min(row.attempts, len(BACK_OFF_SECONDS)) - 1]
    mine.update(lease_until=None, holder="", due_at=GreenroomNow() + timedelta(seconds=wait))


def give_up_old() -> int:
    """Give up files that nobody could fetch for a day. Returns how many."""
    return Attachment.objects.filter(
        state=State.WANTED, created_at__lt=GreenroomNow() - GIVEN_UP_AFTER
    ).update(state=State.FAILED, reason="No agent was there to fetch it.", lease_until=None)


def _held(wanted: Wanted) -> tuple[Attachment, Room] | None:
    """Lock a file's room, then the file, if this process still holds it."""
    room_id = (
        Attachment.objects.filter(pk=wanted.attachment_id)
        .values_list("message__room_id", flat=True)
        .first()
    )
    room = conversation.locked_room(room_id=room_id) if room_id else None
    if room is None:
        return None
    row = (
        Attachment.objects.select_for_update(of=("self",))
        .filter(pk=wanted.attachment_id, holder=wanted.holder, state=State.WANTED)
        .first()
    )
    return (row, room) if row else None


def _settled(attachment: Attachment, room: Room) -> None:
    """Let agents decide now that waited for the last file of a message."""
    still = Attachment.objects.filter(message=attachment.message_id, state=State.WANTED)
    if not still.exists() and lanes.hasten(room_id=room.pk):
        wakeups.lanes_due()
    faults.passing("file.written")
