"""Takes in what a login saw at once, together with where it has read to, in one transaction.

Either all of it is stored and the cursor moves, or nothing is and the same comes again. What came
before is stored once, whichever login shows it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db import DataError, IntegrityError, transaction

from agentapp.conversation import services as conversation
from agentapp.conversation.models import Message
from agentapp.conversation.rules import stored_id
from agentapp.drafts.services import Wish, propose
from agentapp.events import services as events
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.envelope import (
    Author,
    AuthorKind,
    Incoming,
    IncomingDelete,
    IncomingReaction,
    Place,
)
from agentapp.foundation.errors import AgentError, Conflict
from agentapp.foundation.text import one_line
from agentapp.identity.models import Account, Room
from agentapp.intake import places
from agentapp.intake.attendance import take_moves, take_words
from agentapp.intake.places import Whereabouts
from agentapp.intake.seen import Batch, EditBy, Item, Remark, RoomNews
from agentapp.intake.services import accept, accept_delete, accept_edit, accept_reaction
from agentapp.keyring.services import write_keys
from agentapp.presence import arrivals
from agentapp.presence.invitations import waiting as invitations_of
from agentapp.presence.models import Membership

logger = logging.getLogger(__name__)

MOST_INVITATIONS = 100  # that wait for an agent's owner
ENCRYPTED_NOTICE = (
    "I cannot read encrypted messages, so I stay silent here. Invite me into a room without "
    "encryption to talk with me."
)
SPACE = "It is there. Nobody talks in a space."


class LeaseLost(Conflict):
    """Another process runs this login by now."""


@transaction.atomic
def accept_batch(batch: Batch) -> None:
    """Take in everything of a batch and move its login's cursor.

    Rooms are locked in the order of their ids before anything is written, so that two logins
    which share rooms cannot wait for each other.

    Writes: what `accept` and its like write; Room, Membership, Account (cursor), the login's keys;
    a Draft (one notice per encrypted room that it cannot read). An item that cannot be stored is
    passed over with an Event `intake.skipped`.

    Raises:
        LeaseLost, KeysMoved: Another process runs this login. Nothing is written.
    """
    (batch,) = bounded([batch])
    take_in(batch, locked_rooms([batch]))
    if batch.keys is not None and not batch.keys.is_empty():
        write_keys(account_id=batch.account_id, fence=batch.fence, changes=batch.keys)
    _move_cursor(batch)
    faults.passing("batch.written")


def bounded(batches: Sequence[Batch]) -> list[Batch]:
    """Return batches without the invitations that are too many, all of an agent's together.

    Strangers could send any number of them.
    """
    free: dict[int, int] = {}
    kept = []
    for batch in batches:
        if not batch.invited:
            kept.append(batch)
            continue
        if batch.agent_id not in free:
            waiting = invitations_of(agent_id=batch.agent_id).count()
            free[batch.agent_id] = max(MOST_INVITATIONS - waiting, 0)
        invited = batch.invited[: free[batch.agent_id]]
        free[batch.agent_id] -= len(invited)
        kept.append(replace(batch, invited=invited))
    return kept


def locked_rooms(batches: Sequence[Batch]) -> dict[str, Room]:
    """Return all rooms of batches of one workspace, locked in the order of their ids."""
    found: dict[str, tuple[Place, Whereabouts]] = {}
    for batch in batches:
        at = Whereabouts(batch.workspace_id, batch.platform)
        for one in batch.places():
            if one.name or one.external_id not in found:  # a departure knows no name
                found[one.external_id] = (one, at)
    return {
        external_id: places.locked_room(at=at, place=place)
        for external_id, (place, at) in sorted(found.items())
    }


def take_in(batch: Batch, rooms: Mapping[str, Room]) -> None:
    """Take in what a batch says of rooms that the caller has locked, inside its transaction."""
    elsewhere = _logins_of_others(batch)
    for news in batch.rooms:
        _take_room(batch, news, rooms[news.place.external_id], elsewhere)
    for invitation in batch.invited:
        room = rooms[invitation.place.external_id]
        arrivals.invited(
            room=room,
            agent_id=batch.agent_id,
            account_id=batch.account_id,
            by=invitation.by,
            at=invitation.at,
        )
    for left in batch.left:
        arrivals.departed(
            room=rooms[left.place.external_id],
            agent_id=batch.agent_id,
            is_removed=left.is_removed,
            reason=left.reason,
        )
    take_moves(batch)


def _move_cursor(batch: Batch) -> None:
    has_news = bool(batch.rooms or batch.invited or batch.left or batch.moves)
    news = {"heard_at": GreenroomNow()} if has_news else {}
    moved = Account.objects.filter(
        pk=batch.account_id, fence=batch.fence, lease_until__gt=GreenroomNow()
    ).update(cursor=batch.cursor, **news)
    if not moved:
        raise LeaseLost


def _take_room(batch: Batch, news: RoomNews, room: Room, elsewhere: set[str]) -> None:
    if room.kind == Room.Kind.GROUP:
        # A place for rooms. It is in it, as it was let in, and there is nothing to talk in.
        arrivals.departed(room=room, agent_id=batch.agent_id, is_removed=False, reason=SPACE)
        return
    _change_room(news, room)
    try:
        with transaction.atomic():
            arrivals.arrived(room=room, agent_id=batch.agent_id, since=news.since)
    except AgentError as error:
        logger.info("agent %s does not enter room %s: %s", batch.agent_id, room.pk, error.code)
    _tell_of_encryption(batch, news, room)
    if news.gap:
        _record("room.gap", batch, room, {"where": one_line(news.gap)})
    for item in news.items:
        try:
            with transaction.atomic():
                _take(item, room, elsewhere)
        except (DataError, IntegrityError, AgentError, ValueError) as error:
            # One odd event must not hold up everything behind it for good.
            logger.warning("an event in room %s is passed over: %s", room.pk, type(error).__name__)
            _record("intake.skipped", batch, room, {"error": type(error).__name__})
    take_words(room, news)
    if news.read_to:
        Membership.objects.filter(
            room=room, agent_id=batch.agent_id, account_id=batch.account_id, left_at__isnull=True
        ).update(read_to=news.read_to)


def _change_room(news: RoomNews, room: Room) -> None:
    """Take over what only a platform can change: more people in a direct room, its end.

    Also which server it is part of.
    """
    group_id = stored_id(news.place.group) if news.place.group else room.group_id
    if room.group_id != group_id:
        Room.objects.filter(pk=room.pk).update(group_id=group_id)
        room.group_id = group_id
    if room.kind == Room.Kind.DIRECT and news.place.kind == "room":
        Room.objects.filter(pk=room.pk).update(kind=Room.Kind.ROOM)
        room.kind = Room.Kind.ROOM
    if news.is_gone and room.gone_at is None:
        Room.objects.filter(pk=room.pk).update(gone_at=GreenroomNow())
        events.record(
            type="room.changed",
            subject_kind="room",
            subject_id=room.pk,
            workspace_id=room.workspace_id,
            room_id=room.pk,
            payload={"gone": True},
        )


def _tell_of_encryption(batch: Batch, news: RoomNews, room: Room) -> None:
    """Note that a room is encrypted; say once that nothing of it can be read where that is so."""
    if not news.is_encrypted or room.encrypted:
        return
    Room.objects.filter(pk=room.pk).update(encrypted=True)
    if batch.reads_encrypted:
        return
    try:
        with transaction.atomic():
            propose(
                Wish(
                    turn=None,
                    agent_id=batch.agent_id,
                    kind="message",
                    room_id=room.pk,
                    text=ENCRYPTED_NOTICE,
                    visibility="private",
                    metadata={"notice": True, "code": "encrypted_room"},
                    why="The room is encrypted.",
                    key=f"encrypted:{room.pk}",
                )
            )
    except AgentError as error:
        logger.info("room %s hears nothing about its encryption: %s", room.pk, error.code)


def _take(item: Item, room: Room, elsewhere: set[str]) -> None:
    match item:
        case Incoming():
            accept(replace(item, author=_seen(item.author, elsewhere)))
        case Remark(incoming):
            _note(incoming, room)
        case EditBy(edit, by):
            if _may_edit(room, edit.external_id, by):
                accept_edit(edit)
        case IncomingDelete():
            accept_delete(item)
        case IncomingReaction():
            accept_reaction(replace(item, author=_seen(item.author, elsewhere)))


def _note(incoming: Incoming, room: Room) -> None:
    """Write a notice into the record without waking anybody."""
    at = Whereabouts(incoming.workspace_id, incoming.platform)
    conversation.record_message(
        room=room,
        author=places.writer(at=at, author=incoming.author),
        external_id=incoming.external_id,
        text=incoming.text,
        reply_to=incoming.reply_to,
        sent_at=incoming.sent_at,
        files=incoming.files,
    )


def _may_edit(room: Room, external_id: str, by: str) -> bool:
    """Say whether a message is its editor's own, as far as it has arrived."""
    author = (
        Message.objects.filter(room=room, external_id=stored_id(external_id), is_known=True)
        .values_list("author__external_id", flat=True)
        .first()
    )
    return author is None or author == stored_id(by)


def _logins_of_others(batch: Batch) -> set[str]:
    """Return the writers that are agents of this host in other workspaces; to us they are bots."""
    writers = {
        item.author.external_id
        for news in batch.rooms
        for item in news.items
        if isinstance(item, (Incoming, IncomingReaction))
    }
    if not writers:
        return set()
    return set(
        Account.objects.filter(platform=batch.platform, external_id__in=writers)
        .exclude(workspace_id=batch.workspace_id)
        .values_list("external_id", flat=True)
    )


def _seen(author: Author, elsewhere: set[str]) -> Author:
    return replace(author, kind=AuthorKind.BOT) if author.external_id in elsewhere else author


def _record(type_: str, batch: Batch, room: Room, payload: dict[str, object]) -> None:
    events.record(
        type=type_,
        subject_kind="room",
        subject_id=room.pk,
        workspace_id=batch.workspace_id,
        agent_id=batch.agent_id,
        room_id=room.pk,
        payload=payload,
    )
