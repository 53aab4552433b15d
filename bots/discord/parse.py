"""What Discord shows, as shapes of ours.

A message that nobody wrote (somebody joined, a pin, a boost) is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import discord

from agentapp.foundation.envelope import (
    Author,
    AuthorKind,
    Incoming,
    IncomingDelete,
    IncomingEdit,
    IncomingFile,
    IncomingReaction,
    Place,
)
from agentapp.intake.seen import EditBy, Move
from bots.discord.address import FileAddress

PLATFORM = "discord"
MAX_TEXT = 100_000  # characters; a forwarded message adds to one's own
MAX_FILES = 10
MAX_EMOJI = 64  # characters

# What people and programs say; everything else is Discord speaking about itself.
_SAID = {
    discord.MessageType.default,
    discord.MessageType.reply,
    discord.MessageType.chat_input_command,
    discord.MessageType.context_menu_command,
}
_NAMED = re.compile(r"<@!?(\d{1,20})>")
_PLACE = re.compile(r"<#(\d{1,20})>")
_ROLE = re.compile(r"<@&(\d{1,20})>")
_EMOJI = re.compile(r"<a?:(\w{1,32}):\d{1,20}>")


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes these are: one login in one workspace."""

    workspace_id: int
    user_id: str


def parse_message(message: discord.Message, *, viewer: Viewer, place: Place) -> Incoming | None:
    """Return what somebody said."""
    if message.type not in _SAID:
        return None
    files = tuple(_file(message, one) for one in message.attachments[:MAX_FILES])
    text = text_of(message)
    if not text.strip() and not files:
        return None
    reference = message.reference
    is_answer = message.type is discord.MessageType.reply and reference is not None
    return Incoming(
        workspace_id=viewer.workspace_id,
        platform=PLATFORM,
        place=place,
        external_id=str(message.id),
        author=author_of(message),
        text=text,
        reply_to=str(reference.message_id or "") if is_answer and reference else "",
        mentions=tuple(str(one.id) for one in message.mentions),
        sent_at=message.created_at,
        files=files,
    )


def parse_edit(message: discord.Message, *, viewer: Viewer, place: Place) -> EditBy | None:
    """Return a message's new words; None where only Discord changed it, such as for a preview."""
    text = text_of(message)
    if message.edited_at is None or message.type not in _SAID or not text.strip():
        return None
    edit = IncomingEdit(
        workspace_id=viewer.workspace_id,
        platform=PLATFORM,
        place=place,
        external_id=str(message.id),
        text=text,
        changed_at=message.edited_at,
    )
    return EditBy(edit, str(message.author.id))


def parse_deletion(message_id: int, *, viewer: Viewer, place: Place) -> IncomingDelete:
    """Return that a message is gone; nobody says when or by whom."""
    return IncomingDelete(
        workspace_id=viewer.workspace_id,
        platform=PLATFORM,
        place=place,
        external_id=str(message_id),
    )


def parse_reaction(
    payload: discord.RawReactionActionEvent, *, viewer: Viewer, place: Place
) -> IncomingReaction:
    """Return that somebody put or took an emoji.

    Discord does not say when; it counts from when it is taken in, by the database's clock.
    """
    person = payload.member
    kind = AuthorKind.BOT if person is not None and person.bot else AuthorKind.HUMAN
    return IncomingReaction(
        workspace_id=viewer.workspace_id,
        platform=PLATFORM,
        place=place,
        message_external_id=str(payload.message_id),
        author=Author(str(payload.user_id), person.display_name if person else "", kind),
        emoji=emoji_name(payload.emoji),
        present=payload.event_type == "REACTION_ADD",
    )


def parse_arrival(member: discord.Member) -> Move | None:
    """Return that somebody came into a server; None for programs."""
    if member.bot:
        return None
    return Move(
        str(member.guild.id),
        member.guild.name,
        Author(str(member.id), member.display_name),
        is_in=True,
        at=member.joined_at,
    )


def parse_departure(guild: discord.Guild, who: discord.abc.User) -> Move | None:
    """Return that somebody is no longer in a server, which nobody dates; None for programs."""
    if who.bot:
        return None
    author = Author(str(who.id), who.display_name)
    return Move(str(guild.id), guild.name, author, is_in=False)


def author_of(message: discord.Message) -> Author:
    """Return who wrote a message. A webhook is a program, whatever name it took for this one."""
    author = message.author
    is_program = author.bot or message.webhook_id is not None
    kind = AuthorKind.BOT if is_program else AuthorKind.HUMAN
    return Author(str(author.id), author.display_name, kind)


def text_of(message: discord.Message) -> str:
    """Return what a message says, with names where Discord writes ids."""
    parts = [_words(message)]
    for forwarded in message.message_snapshots:
        parts.append("> " + forwarded.content.replace("\n", "\n> "))
    parts += [f"[sticker: {one.name}]" for one in message.stickers]
    if message.poll is not None:
        answers = ", ".join(one.text for one in message.poll.answers)
        parts.append(f"[poll: {message.poll.question} ({answers})]")
    if message.author.bot and not message.content:
        parts += [_embedded(one) for one in message.embeds]
    return "\n".join(part for part in parts if part.strip())[:MAX_TEXT]


def _words(message: discord.Message) -> str:
    people = {str(one.id): one.display_name for one in message.mentions}
    guild = message.guild
    places = {str(one.id): one.name for one in message.channel_mentions}
    roles = {str(one.id): one.name for one in message.role_mentions} if guild else {}
    text = _NAMED.sub(_named("@", people), message.content)
    text = _PLACE.sub(_named("#", places), text)
    text = _ROLE.sub(_named("@", roles), text)
    return _EMOJI.sub(r":\1:", text)


def _named(sign: str, names: Mapping[str, str]) -> _Replace:
    return _Replace(sign, names)


@dataclass(frozen=True, slots=True)
class _Replace:
    sign: str
    names: Mapping[str, str]

    def __call__(self, found: re.Match[str]) -> str:
        name = self.names.get(found[1])
        return f"{self.sign}{name}" if name else found[0]


def _embedded(embed: discord.Embed) -> str:
    return "\n".join(part for part in (embed.title, embed.description) if part)


def emoji_name(emoji: discord.PartialEmoji) -> str:
    """Return an emoji as itself, a server's own one by its name."""
    return str(emoji.name if emoji.is_unicode_emoji() else f":{emoji.name}:")[:MAX_EMOJI]


def _file(message: discord.Message, attachment: discord.Attachment) -> IncomingFile:
    where = FileAddress(message.channel.id, message.id, attachment.id)
    return IncomingFile(
        name=attachment.filename,
        said_type=attachment.content_type or "",
        said_size=attachment.size,
        source=str(where),
    )


def time_of(snowflake: int) -> datetime:
    """Return when an id was given out."""
    return discord.utils.snowflake_time(snowflake).astimezone(UTC)
