"""What people do in the built-in web rooms."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from agentapp.conversation import services as conversation
from agentapp.conversation.models import Message
from agentapp.files.services import Examined, Given, examine_all, refuse_when_full, store
from agentapp.foundation import clock
from agentapp.foundation.database import in_transaction
from agentapp.foundation.envelope import IncomingFile
from agentapp.foundation.errors import Conflict, Invalid, NotFound, Refused
from agentapp.foundation.gathering import Gathered
from agentapp.foundation.prepared import prepared
from agentapp.foundation.text import is_visible, normalised, one_line
from agentapp.identity import policy
from agentapp.identity.models import Identity, Room, User
from agentapp.identity.policy import Verb
from agentapp.identity.services.people import (
    LOCAL,
    ensure_local_identities,
    ensure_local_identity,
)
from agentapp.intake import places
from agentapp.intake.services.platform import queue
from agentapp.memory import services as memory

MAX_CLIENT_KEY = 64  # characters


class EmptyMessage(Invalid):
    """Write something first."""


class NotInThisRoom(NotFound):
    """The message you answer is not in this room any more."""


def post_web_message(
    *,
    user: User,
    room_id: int,
    text: str,
    reply_to_id: int | None = None,
    client_key: str = "",
    files: Sequence[Given] = (),
) -> Message:
    """Say something in a web room. The same `client_key` again returns the first message.

    Writes as `accept` does, and the files; together with what others say at this moment, unless
    the caller is in a transaction. `@Name` mentions an agent or a person of the room.

    Raises:
        NotFound, Refused: The user may not chat there, or enough files are kept for today.
        Invalid: Nothing readable was written, or a file is not taken.
        NotInThisRoom: The answered message is gone. Nothing is written.
    """
    if not files:
        post = _Post(user, room_id, text, reply_to_id, client_key)
        return _post([post])[0] if in_transaction() else _post_together(post)
    examined = _examined(user, room_id, files)
    return _post_files(_Post(user, room_id, text, reply_to_id, client_key, examined))


def _examined(user: User, room_id: int, files: Sequence[Given]) -> list[Examined]:
    """Look into files of somebody who may chat there: opening pictures takes its time."""
    place = Room.objects.select_related("workspace").filter(pk=room_id).first()
    if place is None:
        raise NotFound
    policy.require(user, Verb.CHAT, place)
    refuse_when_full(room=place)
    return examine_all(files, room=place)


@dataclass(frozen=True, slots=True)
class _Post:
    """What somebody wants to say."""

    user: User
    room_id: int
    text: str
    reply_to_id: int | None
    client_key: str
    examined: Sequence[Examined] = ()


@transaction.atomic
def _post(posts: Sequence[_Post]) -> list[Message]:
    """Write what was said at one moment: the same statements for one message and for many."""
    rooms = _rooms(posts)
    said = [
        _said(post, room, author)
        for post, room, author in zip(posts, rooms, _authors(posts, rooms), strict=True)
    ]
    recorded = conversation.record_all(said)
    queue([(each.author, each.room, row) for each, row in zip(said, recorded, strict=True)])
    shown = _shown.first_of_each([{"message_id": row.id} for row in recorded])
    return [message for message in shown if message is not None]


_post_together = Gathered(_post)


def _rooms(posts: Sequence[_Post]) -> list[Room]:
    """Lock and return the room of each post, in the order of their ids, if all may chat there."""
    ids = sorted({post.room_id for post in posts})
    locked = zip(ids, conversation.locked_rooms(room_ids=ids), strict=True)
    by_id = {room_id: room for room_id, room in locked if room is not None}
    if len(by_id) < len(ids):
        raise NotFound
    asked = [(post.user, by_id[post.room_id]) for post in posts]
    if not policy.may_all_chat(asked):
        for user, room in asked:
            policy.require(user, Verb.CHAT, room)
    return [_of_this_host(room) for _, room in asked]


def _authors(posts: Sequence[_Post], rooms: Sequence[Room]) -> list[Identity]:
    return ensure_local_identities(
        [(post.user, room.workspace) for post, room in zip(posts, rooms, strict=True)]
    )


def _said(post: _Post, room: Room, author: Identity) -> conversation.NewMessage:
    clean = normalised(post.text)
    if not post.examined and not is_visible(clean):
        raise EmptyMessage
    return conversation.NewMessage(
        room=room,
        author=author,
        external_id=_external_id(post.user, post.client_key),
        text=post.text,
        reply_to=_answered(room, post.reply_to_id),
        mentioned=places.named_in(room=room, text=clean),
        files=[
            IncomingFile(
                each.name,
                said_type=each.content_type,
                said_size=len(each.content),
                stored=store(each, room=room).pk,
            )
            for each in post.examined
        ],
    )


@transaction.atomic
def _post_files(post: _Post) -> Message:
    """Say something with files; what was posted with the same key before is kept once."""
    (room,) = _rooms([post])
    if (said := _said_before(room, _external_id(post.user, post.client_key))) is not None:
        return _shown.get(message_id=said)
    (message,) = _post([post])
    return message


def _said_before(room: Room, external_id: str) -> int | None:
    """Return the message that was posted with this key, so that no file is kept twice."""
    return (
        Message.objects.filter(room=room, external_id=external_id, is_known=True)
        .values_list("pk", flat=True)
        .first()
    )


@prepared
def _shown(message_id: int) -> QuerySet[Message]:
    return Message.objects.select_related("author", "reply_to__author").filter(pk=message_id)


@transaction.atomic
def edit_web_message(*, user: User, message_id: int, text: str) -> Message:
    """Change an own message; agents forget the old words and remember the new ones.

    Raises:
        NotFound, Refused: There is no such message, or it is somebody else's.
        Invalid: Nothing readable was written. Conflict: It was deleted meanwhile.
    """
    message, room = _message(user, message_id)
    if message.author is None or message.author.user_id != user.pk:
        raise Refused("Only its author can change a message.")
    if message.deleted_at is not None:
        raise Conflict("This message was deleted meanwhile.")
    if not message.file_count and not is_visible(normalised(text)):
        raise EmptyMessage
    if conversation.apply_edit(
        room=room, external_id=message.external_id, text=text, at=clock.now()
    ).has_effect:
        memory.rewrite_from_message(message_id=message.pk)
    message.refresh_from_db()
    return message


@transaction.atomic
def delete_web_message(*, user: User, message_id: int) -> None:
    """Take back an own message, or as a moderator or owner any; its words go for good.

    Raises:
        NotFound, Refused: There is no such message, or the user may not.
    """
    message, room = _message(user, message_id)
    is_own = message.author is not None and message.author.user_id == user.pk
    if not is_own and not policy.can(user, Verb.MODERATE, room):
        policy.require(user, Verb.MANAGE, room)
    if conversation.apply_delete(
        room=room, external_id=message.external_id, at=clock.now()
    ).has_effect:
        memory.withdraw_from_message(message_id=message.pk)


@transaction.atomic
def react_web(*, user: User, message_id: int, emoji: str, present: bool) -> None:
    """Put an emoji on a message or take one's own away.

    Raises:
        NotFound, Refused: There is no such message, or the user may not chat there.
        Invalid: There is no emoji.
    """
    message, room = _message(user, message_id)
    if message.deleted_at is not None:
        raise NotFound
    if not one_line(emoji):
        raise Invalid("Choose an emoji.")
    conversation.apply_reaction(
        room=room,
        external_id=message.external_id,
        author=ensure_local_identity(user=user, workspace=room.workspace),
        emoji=emoji,
        is_present=present,
        at=clock.now(),
    )


def _room(user: User, room_id: int) -> Room:
    """Return the locked room if the user may chat there."""
    room = conversation.locked_room(room_id=room_id)
    if room is None:
        raise NotFound
    policy.require(user, Verb.CHAT, room)
    return _of_this_host(room)


def _of_this_host(room: Room) -> Room:
    """Agents of other platforms' rooms are spoken to over there, where everybody sees it."""
    if room.platform != LOCAL:
        raise Refused("Write to this room on its own platform.")
    return room


def _message(user: User, message_id: int) -> tuple[Message, Room]:
    room_id = (
        Message.objects.filter(pk=message_id, is_known=True)
        .values_list("room_id", flat=True)
        .first()
    )
    if room_id is None:
        raise NotFound
    room = _room(user, room_id)
    return Message.objects.select_related("author").get(pk=message_id), room


def _answered(room: Room, reply_to_id: int | None) -> str:
    if reply_to_id is None:
        return ""
    found = (
        Message.objects.filter(pk=reply_to_id, room=room, is_known=True, deleted_at__isnull=True)
        .values_list("external_id", flat=True)
        .first()
    )
    if found is None:
        raise NotInThisRoom
    return found


def _external_id(user: User, client_key: str) -> str:
    key = client_key[:MAX_CLIENT_KEY] or uuid.uuid4().hex
    return f"web:{user.pk}:{key}"
