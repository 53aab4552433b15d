"""Writes messages: any number of them in the same few statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from agentapp.conversation import rules
from agentapp.conversation.models import Message
from agentapp.conversation.services.attaching import attach_all, take_over
from agentapp.conversation.services.rows import Row, completed, insert, stub
from agentapp.events import services as events
from agentapp.events.models import Event
from agentapp.foundation.envelope import IncomingFile
from agentapp.foundation.prepared import prepared
from agentapp.foundation.text import is_shortened, normalised, raw_bytes
from agentapp.identity.models import Identity, Room


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as it came, in a room that the caller has locked.

    Attributes:
        external_id: The platform's id.
        text: As it came; the raw bytes are kept beside the normalised text.
        reply_to: The platform's id of the answered message; "" for none. It may be unknown and
            arrive later.
        mentioned: Ids of the identities it names.
        sent_at: The platform's time; None is now.
        files: What came with it, in its order.
    """

    room: Room
    author: Identity
    external_id: str
    text: str
    reply_to: str = ""
    mentioned: Iterable[int] = ()
    sent_at: datetime | None = None
    files: Sequence[IncomingFile] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message's row, and whether it arrived now. `is_alive` is False once it was deleted."""

    id: int
    is_new: bool
    is_alive: bool = True


def locked_room(*, room_id: int) -> Room | None:
    """Lock a room for changes of what is said in it; references to it stay possible."""
    return _locked_room.first(room_id=room_id)


def locked_rooms(*, room_ids: Sequence[int]) -> list[Room | None]:
    """Lock rooms as `locked_room` does, one after the other in this order; one statement."""
    return _locked_room.first_of_each([{"room_id": room_id} for room_id in room_ids])


@prepared
def _locked_room(room_id: int) -> QuerySet[Room]:
    return (
        Room.objects.select_for_update(no_key=True, of=("self",))
        .select_related("workspace")
        .filter(pk=room_id)
    )


def record_message(
    *,
    room: Room,
    author: Identity,
    external_id: str,
    text: str,
    reply_to: str = "",
    mentioned: Iterable[int] = (),
    sent_at: datetime | None = None,
    files: Sequence[IncomingFile] = (),
) -> Recorded:
    """Write one message as `record_all` does; see `NewMessage` for the arguments."""
    said = NewMessage(room, author, external_id, text, reply_to, mentioned, sent_at, files)
    return record_all([said])[0]


def record_all(messages: Sequence[NewMessage]) -> list[Recorded]:
    """Write messages once, in their order; the same external id again changes nothing.

    Writes: Message, its mentions and attachments, Event `message.received`. A message whose edit,
    deletion or reaction came first takes that in.

    Returns:
        What became of each, in the order of `messages`.
    """
    rows = _rows(messages)
    inserted = insert(rows)
    recorded: list[Recorded] = []
    for said, row in zip(messages, rows, strict=True):
        new_id = inserted.pop(row.place, None)
        recorded.append(Recorded(new_id, is_new=True) if new_id else _known(said, row))
    new = [pair for pair in zip(messages, recorded, strict=True) if pair[1].is_new]
    _mention(new)
    attach_all(
        [(each.id, said.room, said.files) for said, each in new if said.files and each.is_alive]
    )
    events.record_many(_received(said, each) for said, each in new)
    return recorded


def _rows(messages: Sequence[NewMessage]) -> list[Row]:
    answered = _answered(messages)
    rows = []
    for said in messages:
        clean = normalised(said.text)
        key = (said.room.pk, rules.stored_id(said.reply_to))
        rows.append(
            Row(
                workspace_id=said.room.workspace_id,
                room_id=said.room.pk,
                external_id=rules.stored_id(said.external_id),
                author_id=said.author.pk,
                is_known=True,
                raw=raw_bytes(said.text),
                text=clean,
                is_shortened=is_shortened(clean, said.text),
                reply_to_id=answered[key] if _answers(said) else None,
                sent_at=said.sent_at,
            )
        )
    return rows


def _answers(said: NewMessage) -> bool:
    return bool(said.reply_to) and said.reply_to != said.external_id


def _answered(messages: Sequence[NewMessage]) -> dict[tuple[int, str], int]:
    """Return the ids of answered messages by room and external id; unknown ones get a row."""
    wanted = {
        (said.room.pk, rules.stored_id(said.reply_to)): said for said in messages if _answers(said)
    }
    if not wanted:
        return {}
    found = {
        (room_id, external_id): pk
        for pk, room_id, external_id in _ids(
            room_ids=[room_id for room_id, _ in wanted],
            external_ids=[external_id for _, external_id in wanted],
        )
    }
    return {
        key: found[key] if key in found else stub(said.room, said.reply_to).pk
        for key, said in wanted.items()
    }


@prepared
def _ids(room_ids: list[int], external_ids: list[str]) -> QuerySet[Message, tuple[int, int, str]]:
    return Message.objects.filter(room_id__any=room_ids, external_id__any=external_ids).values_list(
        "id", "room_id", "external_id"
    )


def _known(said: NewMessage, row: Row) -> Recorded:
    """Deal with a message that has a row already: it is here, or a change of it came first."""
    there = Message.objects.get(room=said.room, external_id=row.external_id)
    is_alive = there.deleted_at is None
    if there.is_known:
        if said.files and is_alive:
            take_over(message_id=there.pk, files=said.files)
        return Recorded(there.pk, is_new=False, is_alive=is_alive)
    return Recorded(completed(there, row), is_new=True, is_alive=is_alive)


def _mention(new: Iterable[tuple[NewMessage, Recorded]]) -> None:
    through = Message.mentions.through
    rows = [
        through(message_id=recorded.id, identity_id=each)
        for said, recorded in new
        for each in sorted(set(said.mentioned))
    ]
    if rows:
        through.objects.bulk_create(rows, ignore_conflicts=True)


def _received(said: NewMessage, recorded: Recorded) -> Event:
    author = said.author
    return Event(
        type="message.received",
        subject_kind="message",
        subject_id=str(recorded.id),
        workspace_id=said.room.workspace_id,
        room_id=said.room.pk,
        agent_id=author.agent_id,
        actor_id=str(author.user_id or ""),
        actor_kind=str(author.kind),
    )
