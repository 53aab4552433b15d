"""Messages as people read them in a room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from agentapp.conversation.models import Message, Reaction
from agentapp.conversation.queries import files_of
from dashboard.markdown import plain_text
from dashboard.presenters.faces import Face, identity_face
from dashboard.presenters.files import FileShown, show_files, words_of
from dashboard.presenters.stamps import stamp

FOLLOWS_WITHIN = timedelta(minutes=5)
QUOTE_CHARACTERS = 120


class Emoji(NamedTuple):
    """One reaction on offer."""

    mark: str
    label: str


EMOJIS = (
    Emoji("👍", "like"),
    Emoji("❤️", "love"),
    Emoji("😂", "haha"),
    Emoji("😢", "sad"),
    Emoji("😠", "angry"),
)


@dataclass(frozen=True, slots=True)
class QuoteShown:
    """The message that another one answers."""

    id: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ReactionShown:
    """One emoji under a message with whoever chose it."""

    emoji: str
    count: int
    names: str
    is_mine: bool


@dataclass(frozen=True, slots=True)
class MessageShown:
    """One message.

    Attributes:
        is_follow: Right after another one of the same author.
        is_ours: One of this host's agents wrote it.
    """

    id: int
    author: Face
    text: str
    sent_at: datetime
    is_edited: bool
    is_deleted: bool
    is_follow: bool
    is_mine: bool
    is_ours: bool
    has_why: bool
    can_correct: bool
    quote: QuoteShown | None
    reactions: list[ReactionShown]
    files: list[FileShown]
    day: date | None
    stamp: str


def show_messages(
    messages: Sequence[Message], *, user_id: int, has_why: bool
) -> list[MessageShown]:
    """Show a page of messages, oldest first. Asks the database nothing.

    Args:
        messages: As `conversation.queries.recent` returns them.
        user_id: Who is looking.
        has_why: Whether this viewer may open the reasons.
    """
    shown = []
    before: Message | None = None
    for message in messages:
        shown.append(_show(message, before, user_id=user_id, has_why=has_why))
        before = message
    return shown


def _show(message: Message, before: Message | None, *, user_id: int, has_why: bool) -> MessageShown:
    author = identity_face(message.author)
    quote = _quote(message.reply_to)
    reactions = show_reactions(getattr(message, "shown_reactions", []), user_id=user_id)
    files = show_files(files_of(message))
    starts_day = before is None or _day(before) != _day(message)
    is_follow = not starts_day and quote is None and _follows(message, before)
    return MessageShown(
        id=message.pk,
        author=author,
        text=message.text,
        sent_at=message.sent_at,
        is_edited=message.edited_at is not None,
        is_deleted=message.deleted_at is not None,
        is_follow=is_follow,
        is_mine=message.author is not None and message.author.user_id == user_id,
        is_ours=message.author is not None and message.author.agent_id is not None,
        has_why=has_why,
        can_correct=_is_keeper(message, user_id),
        quote=quote,
        reactions=reactions,
        files=files,
        day=_day(message) if starts_day else None,
        stamp=stamp(
            message.text,
            message.edited_at,
            message.deleted_at,
            author,
            is_follow,
            quote,
            reactions,
            files,
        ),
    )


def _is_keeper(message: Message, user_id: int) -> bool:
    """Say whether this viewer runs the agent that said it."""
    agent = message.author.agent if message.author else None
    return agent is not None and agent.owner_id == user_id


def _day(message: Message) -> date:
    return timezone.localtime(message.sent_at).date()


def _follows(message: Message, before: Message | None) -> bool:
    return (
        before is not None
        and before.author_id == message.author_id
        and message.sent_at - before.sent_at < FOLLOWS_WITHIN
    )


def _quote(message: Message | None) -> QuoteShown | None:
    if message is None:
        return None
    text = words_of(message.text, message.file_count)
    text = "a deleted message" if message.deleted_at else text
    return QuoteShown(id=message.pk, name=identity_face(message.author).name, text=shortened(text))


def shortened(text: str, limit: int = QUOTE_CHARACTERS) -> str:
    """Return a text on one line without its marks, cut with an ellipsis."""
    line = plain_text(text[: 4 * limit])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def show_reactions(reactions: Iterable[Reaction], *, user_id: int) -> list[ReactionShown]:
    """Group reactions by emoji, in the order in which each first appeared."""
    groups: dict[str, list[Reaction]] = {}
    for reaction in reactions:
        groups.setdefault(reaction.emoji, []).append(reaction)
    return [
        ReactionShown(
            emoji=emoji,
            count=len(group),
            names=", ".join(reaction.identity.name for reaction in group),
            is_mine=any(reaction.identity.user_id == user_id for reaction in group),
        )
        for emoji, group in groups.items()
    ]
