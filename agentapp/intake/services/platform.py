"""The one transaction that takes in what a platform shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from agentapp.conversation import services as conversation
from agentapp.foundation import clock, faults
from agentapp.foundation.envelope import Incoming, IncomingDelete, IncomingEdit, IncomingReaction
from agentapp.foundation.text import normalised
from agentapp.identity.models import Account, Identity, Room
from agentapp.identity.services.people import LOCAL
from agentapp.intake import lanes, places, wakeups
from agentapp.intake.lanes import Wanted
from agentapp.intake.places import Whereabouts
from agentapp.memory import services as memory

FILE_PATIENCE = 8.0  # seconds that agents wait for what has to be fetched


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of an incoming message."""

    message_id: int
    is_new: bool


@transaction.atomic
def accept(incoming: Incoming) -> Accepted:
    """Take in one message. The same message again only moves the account's cursor.

    Writes: Room, Identity, Person, Participant, Message, Account (cursor), Lane of every agent
    that is in the room except its author, Event `message.received`. Announces: a wake-up for
    workers, after commit.

    Raises:
        NoSuchRoom: A web room that nobody opened. Nothing is written.
    """
    at = Whereabouts(incoming.workspace_id, incoming.platform)
    room = places.locked_room(at=at, place=incoming.place)
    author = places.writer(at=at, author=incoming.author)
    recorded = conversation.record_message(
        room=room,
        author=author,
        external_id=incoming.external_id,
        text=incoming.text,
        reply_to=incoming.reply_to,
        mentioned=_mentioned(incoming, at, room),
        sent_at=incoming.sent_at,
        files=incoming.files,
    )
    if incoming.account_id and incoming.cursor is not None:
        Account.objects.filter(pk=incoming.account_id, workspace_id=at.workspace_id).update(
            cursor=incoming.cursor
        )
    comes_later = any(each.source and not each.stored for each in incoming.files)
    queue([(author, room, recorded)], patience=FILE_PATIENCE if comes_later else 0.0)
    return Accepted(recorded.id, recorded.is_new)


@transaction.atomic
def accept_in_web_rooms(messages: Sequence[Incoming]) -> list[Accepted | None]:
    """Take in messages of web rooms together, each as `accept` would, in their order.

    Costs the same few statements for one message and for twenty.

    Returns:
        What became of each; None for those whose room is not there.
    """
    rooms = places.locked_web_rooms(messages)
    writers = places.known_writers(messages)
    placed = [(each, rooms[key]) for each in messages if (key := places.key_of(each)) in rooms]
    new = []
    for each, room in placed:
        at = Whereabouts(each.workspace_id, each.platform)
        author = writers.get((each.workspace_id, each.author.external_id))
        new.append(
            conversation.NewMessage(
                room=room,
                author=author or places.writer(at=at, author=each.author),
                external_id=each.external_id,
                text=each.text,
                reply_to=each.reply_to,
                mentioned=_mentioned(each, at, room),
                sent_at=each.sent_at,
                files=each.files,
            )
        )
    recorded = conversation.record_all(new)
    queue([(each.author, each.room, row) for each, row in zip(new, recorded, strict=True)])
    accepted = iter(Accepted(row.id, row.is_new) for row in recorded)
    return [next(accepted) if places.key_of(each) in rooms else None for each in messages]


def _mentioned(incoming: Incoming, at: Whereabouts, room: Room) -> list[int]:
    """Platforms say whom a message mentions; in web rooms the text alone does."""
    named = places.named(at=at, external_ids=incoming.mentions)
    if incoming.platform != LOCAL:
        return named
    return [*named, *places.named_in(room=room, text=normalised(incoming.text))]


def queue(
    said: Iterable[tuple[Identity, Room, conversation.Recorded]], *, patience: float = 0.0
) -> None:
    """Note who is in the rooms and let their agents decide on what is new of this.

    Args:
        said: Who said it, where, and what became of it.
        patience: Seconds that they leave its files to arrive.
    """
    new = [each for each in said if each[2].is_new]
    places.enter((room, author) for author, room, _ in new)
    wanted = [
        Wanted(room.pk, recorded.id, author.agent_id, patience)
        for author, room, recorded in new
        if recorded.is_alive
    ]
    if lanes.want(wanted):
        wakeups.lanes_due()
    faults.passing("intake.written")


@transaction.atomic
def accept_edit(incoming: IncomingEdit) -> int:
    """Take in a message's new text, whatever came before it; return the message's id.

    Writes: Message, Memory (of the new text instead of the old one), Event `message.edited`.
    """
    at = Whereabouts(incoming.workspace_id, incoming.platform)
    room = places.locked_room(at=at, place=incoming.place)
    change = conversation.apply_edit(
        room=room,
        external_id=incoming.external_id,
        text=incoming.text,
        at=incoming.changed_at or clock.now(),
    )
    if change.has_effect:
        memory.rewrite_from_message(message_id=change.message_id)
    return change.message_id


@transaction.atomic
def accept_delete(incoming: IncomingDelete) -> int:
    """Take a message's words away, whatever came before it; return the message's id.

    Writes: Message, Memory (withdrawn), Event `message.deleted`.
    """
    at = Whereabouts(incoming.workspace_id, incoming.platform)
    room = places.locked_room(at=at, place=incoming.place)
    change = conversation.apply_delete(
        room=room, external_id=incoming.external_id, at=incoming.changed_at or clock.now()
    )
    if change.has_effect:
        memory.withdraw_from_message(message_id=change.message_id)
    return change.message_id


@transaction.atomic
def accept_reaction(incoming: IncomingReaction) -> int:
    """Take in an emoji put on a message or taken away; return the message's id.

    Writes: Room, Identity, Person, Reaction, Event `reaction.added` or `reaction.removed`.
    """
    at = Whereabouts(incoming.workspace_id, incoming.platform)
    room = places.locked_room(at=at, place=incoming.place)
    author = places.writer(at=at, author=incoming.author)
    return conversation.apply_reaction(
        room=room,
        external_id=incoming.message_external_id,
        author=author,
        emoji=incoming.emoji,
        is_present=incoming.present,
        at=incoming.changed_at or clock.now(),
    ).message_id
