"""Messages: what was said in a room, and saying something."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.http import HttpRequest
from ninja import Field, Query

from agentapp.conversation.models import Message
from agentapp.conversation.queries import get_message, readable, shown_reactions
from agentapp.foundation.errors import NotFound
from agentapp.identity import policy
from agentapp.identity.models import Identity, Room
from agentapp.intake.services import post_web_message
from dashboard.api.callers import needs, user_of
from dashboard.api.paging import Page, PageIn, page_of
from dashboard.api.shapes import Given, Resource, RoomId, Shape

router = Resource(tags=["messages"])

MAX_TEXT = 200_000  # characters accepted; what is kept is normalised and shortened


class AuthorShown(Shape):
    """Who wrote it: a handle in the room. `agentId` is set when an agent of the host wrote."""

    id: int
    name: str
    kind: str
    agent_id: int | None


class ReactionShown(Shape):
    """One emoji and how often it stands there."""

    emoji: str
    count: int


class MessageShown(Shape):
    """A message."""

    id: int
    room_id: int
    author: AuthorShown | None
    text: str
    reply_to_id: int | None
    sent_at: datetime
    edited_at: datetime | None
    reactions: list[ReactionShown]


class MessageGiven(Given):
    """Something to say, as yourself."""

    text: str = Field(max_length=MAX_TEXT)
    reply_to_id: int | None = None


@router.get("/rooms/{roomId}/messages", response=Page[MessageShown], auth=needs("read"))
def list_messages(request: HttpRequest, room_id: RoomId, page: Query[PageIn]) -> Page[MessageShown]:
    """List what was said in a room, the newest first."""
    room = policy.get(Room, user_of(request), pk=room_id)
    said = readable(room_id=room.pk).select_related("author").prefetch_related(shown_reactions())
    found = page_of(said, page, name="messages", room=room.pk)
    return Page(items=[_show(message) for message in found.rows], next=found.next)


@router.post("/rooms/{roomId}/messages", response={201: MessageShown}, auth=needs("write"))
def post_message(
    request: HttpRequest, room_id: RoomId, body: MessageGiven
) -> tuple[int, MessageShown]:
    """Say something in a web room that you are in."""
    posted = post_web_message(
        user=user_of(request), room_id=room_id, text=body.text, reply_to_id=body.reply_to_id
    )
    message = get_message(message_id=posted.pk)
    if message is None:
        raise NotFound
    return 201, _show(message)


def _show(message: Message) -> MessageShown:
    counted = Counter(reaction.emoji for reaction in getattr(message, "shown_reactions", []))
    return MessageShown(
        id=message.pk,
        room_id=message.room_id,
        author=_author(message.author),
        text=message.text,
        reply_to_id=message.reply_to_id,
        sent_at=message.sent_at,
        edited_at=message.edited_at,
        reactions=[ReactionShown(emoji=emoji, count=n) for emoji, n in counted.items()],
    )


def _author(author: Identity | None) -> AuthorShown | None:
    if author is None:
        return None
    return AuthorShown(id=author.pk, name=author.name, kind=author.kind, agent_id=author.agent_id)
