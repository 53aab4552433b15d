"""Files of messages: noted with the message, kept or given up later, gone with it."""

from __future__ import annotations

from collections.abc import Sequence

from agentapp.conversation.models import Attachment, Message
from agentapp.events import services as events
from agentapp.files import rules
from agentapp.files.models import StoredFile
from agentapp.files.services import most_bytes, too_large
from agentapp.foundation.envelope import IncomingFile
from agentapp.foundation.text import one_line
from agentapp.identity.models import Room

State = Attachment.State
MOST_SAID = 10**12  # bytes; what a sender says beyond is no number to show
SEALED = "It is encrypted, and nothing that opens it came with it."


def attach_all(messages: Sequence[tuple[int, Room, Sequence[IncomingFile]]]) -> None:
    """Note the files of new messages, from (message id, room, files); nothing is fetched here.

    Writes: Attachment, Message (how many). Costs nothing where there are no files.
    """
    rows = [
        _row(message_id, n, each, room)
        for message_id, room, files in messages
        for n, each in enumerate(files[: rules.MOST_FILES])
    ]
    if not rows:
        return
    Attachment.objects.bulk_create(rows)
    for message_id, _, files in messages:
        Message.objects.filter(pk=message_id).update(file_count=min(len(files), rules.MOST_FILES))


def take_over(*, message_id: int, files: Sequence[IncomingFile]) -> None:
    """Give a message that came before its own sender told of it the bytes that are here already.

    A platform may show an own file before its send is answered; then it is wanted, or was even
    fetched. Writes: Attachment. Costs nothing for files that are not here.
    """
    for n, each in enumerate(files):
        if not each.stored:
            continue
        row = Attachment.objects.select_for_update(of=("self",)).filter(message=message_id, n=n)
        found = row.select_related("file").first()
        if found is None or found.file_id == each.stored:
            continue
        fetched = found.file
        Attachment.objects.filter(pk=found.pk).update(
            state=State.KEPT, reason="", file=each.stored, lease_until=None, holder=""
        )
        if fetched is not None:
            fetched.delete()


def detach_all(*, message_id: int) -> None:
    """Delete a message's files; the database deletes their bytes with them."""
    Attachment.objects.filter(message=message_id).delete()
    Message.objects.filter(pk=message_id).update(file_count=0)


def settle_file(
    *, attachment: Attachment, room: Room, state: str, file: StoredFile | None, reason: str
) -> None:
    """Note what became of a file that was wanted, inside a transaction that locks the room.

    Writes: Attachment, Event `message.file`.
    """
    attachment.state, attachment.file = state, file
    attachment.reason = reason[:200]
    attachment.lease_until, attachment.holder = None, ""
    attachment.save(update_fields=["state", "file", "reason", "lease_until", "holder"])
    events.record(
        type="message.file",
        subject_kind="message",
        subject_id=attachment.message_id,
        workspace_id=room.workspace_id,
        room_id=room.pk,
        payload={"state": state, "n": attachment.n},
    )


def _row(message_id: int, n: int, said: IncomingFile, room: Room) -> Attachment:
    name = rules.clean_name(said.name)
    size = said.said_size if 0 < said.said_size < MOST_SAID else 0
    state, reason = State.WANTED, ""
    if said.stored:
        state = State.KEPT
    elif said.is_sealed:
        state, reason = State.SEALED, SEALED
    elif not said.source:
        state, reason = State.FAILED, "Its platform does not say where it is."
    elif size > most_bytes(room):
        state, reason = State.REFUSED, too_large("It", most=most_bytes(room)).message
    return Attachment(
        message_id=message_id,
        n=n,
        name=name,
        said_type=one_line(said.said_type, limit=100),
        said_size=size,
        source=said.source[:600],
        state=state,
        reason=reason,
        file_id=said.stored or None,
    )
