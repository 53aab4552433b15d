"""Puts pieces into channels, and finds again what an earlier attempt left there."""

from __future__ import annotations

import io
import time
import uuid
from datetime import datetime, timedelta
from functools import partial

import discord

from agentapp.drafts.queries import names_taken
from agentapp.files import queries as files
from agentapp.foundation.envelope import Outgoing
from bots.bridge import Bridge
from bots.connector import SendRefused, TooLate
from bots.discord.book import Book
from bots.discord.errors import translated
from bots.discord.gateway import Gateway, own_id

EARLIER = timedelta(minutes=1)  # clocks may differ by this
MOST_TITLE = 100  # characters of a post's
READ_BACK = 300  # messages that are looked through
NOTHING = discord.AllowedMentions.none()
ANSWERED = discord.AllowedMentions(everyone=False, users=False, roles=False, replied_user=True)


class Sender:
    """One bot's way out."""

    def __init__(self, *, client: Gateway, bridge: Bridge, book: Book) -> None:
        self._client = client
        self._bridge = bridge
        self._book = book

    async def put(self, piece: Outgoing) -> str:
        """Send a piece; return the message's id.

        Raises:
            NotSent, SendRefused, LoginLost: See there. Anything else leaves it open.
        """
        match piece.kind:
            case "message":
                return await self._say(piece)
            case "file":
                return await self._show_file(piece)
            case "edit":
                return await self._edit(piece)
            case "reaction":
                return await self._react(piece)
            case "retract":
                return await self._take_back(piece)
        raise SendRefused(f"Discord knows no {piece.kind}.")

    async def _say(self, piece: Outgoing) -> str:
        forum = self._forum(piece)
        if forum is not None:
            return await self._post(piece, forum)
        refuse_late(piece)
        with translated():
            said = await self._channel(piece).send(
                piece.text,
                nonce=piece.dedupe_key,
                reference=_reference(piece),  # type: ignore[arg-type]
                allowed_mentions=ANSWERED if piece.reply_to else NOTHING,
                suppress_embeds=piece.extra.get("is_notice") is True,
            )
        return self._sent(piece, said.id)

    async def _post(self, piece: Outgoing, forum: discord.ForumChannel) -> str:
        """Open a post in a forum, which takes no words of its own; its first line is the title."""
        tags = forum.available_tags[:1] if forum.flags.require_tag else []
        refuse_late(piece)
        with translated():
            post = await forum.create_thread(
                name=_title(piece), content=piece.text, applied_tags=tags, allowed_mentions=NOTHING
            )
        return self._sent(piece, post.message.id)

    async def _show_file(self, piece: Outgoing) -> str:
        stored = int(str(piece.extra["stored"]))
        content = await self._bridge.call(files.content_of, stored) if stored else None
        if content is None:
            raise SendRefused("The file is gone.")
        file = discord.File(io.BytesIO(content), filename=str(piece.extra["name"]))
        refuse_late(piece)
        with translated():
            said = await self._channel(piece).send(
                file=file,
                nonce=piece.dedupe_key,
                reference=_reference(piece),  # type: ignore[arg-type]
            )
        return self._sent(piece, said.id)

    async def _edit(self, piece: Outgoing) -> str:
        target = str(piece.extra["external_id"])
        refuse_late(piece)
        with translated():
            message = self._message(piece, int(target))
            await message.edit(content=piece.text, allowed_mentions=NOTHING)
        return target

    async def _react(self, piece: Outgoing) -> str:
        refuse_late(piece)
        with translated():
            message = self._channel(piece).get_partial_message(int(piece.reply_to))
            await message.add_reaction(piece.emoji)
        return f"{piece.reply_to}/{piece.emoji}"

    async def _take_back(self, piece: Outgoing) -> str:
        external_id = str(piece.extra["external_id"])
        message_id, _, emoji = external_id.partition("/")
        refuse_late(piece)
        message = self._message(piece, int(message_id))
        try:
            if emoji:
                await message.remove_reaction(emoji, self._me())
            else:
                await message.delete()
        except discord.NotFound:
            return external_id  # it is gone already
        except discord.DiscordException:
            with translated():
                raise
        return external_id

    async def find(self, piece: Outgoing) -> str:
        """Return the id of what an earlier attempt with this key left, or "".

        What it looks for is not mistaken for another piece: the next one of a room leaves only
        when the one before it is final. Where nothing is found it is sent again, and while
        Discord still knows the key that shows nothing twice.
        """
        if piece.kind not in {"message", "file"}:
            return ""  # doing it again changes nothing
        known = self._book.sent.get(piece.dedupe_key)
        if known is not None:
            return str(known)
        began = _began(piece)
        after = began - EARLIER if began else discord.utils.utcnow() - timedelta(days=1)
        with translated():
            found = [str(one) for one in await self._similar(piece, after)]
        taken = await self._bridge.call(
            partial(names_taken, account_id=uuid.UUID(piece.account_id), among=found)
        )
        return next((one for one in found if one not in taken), "")

    async def _similar(self, piece: Outgoing, after: datetime) -> list[int]:
        """Return one's own messages since then that look like a piece, the oldest first."""
        own, forum = own_id(self._client), self._forum(piece)
        if forum is not None:
            return [
                thread.id
                for thread in forum.threads
                if thread.owner_id == own
                and thread.name == _title(piece)
                and (thread.created_at or after) >= after
            ]
        return [
            message.id
            async for message in self._channel(piece).history(
                limit=READ_BACK, after=after, oldest_first=True
            )
            if message.author.id == own and _is_same(message, piece)
        ]

    def _sent(self, piece: Outgoing, message_id: int) -> str:
        self._book.sent[piece.dedupe_key] = message_id
        return str(message_id)

    def _channel(self, piece: Outgoing) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(int(piece.room_external_id))

    def _forum(self, piece: Outgoing) -> discord.ForumChannel | None:
        found = self._client.get_channel(int(piece.room_external_id))
        return found if isinstance(found, discord.ForumChannel) else None

    def _message(self, piece: Outgoing, message_id: int) -> discord.PartialMessage:
        """Return an own message; the first of a forum's post stands in a thread of the same id."""
        is_post = self._forum(piece) is not None
        place = (
            self._client.get_partial_messageable(message_id) if is_post else self._channel(piece)
        )
        return place.get_partial_message(message_id)

    def _me(self) -> discord.Object:
        return discord.Object(own_id(self._client))


def _reference(piece: Outgoing) -> discord.MessageReference | None:
    if not piece.reply_to.isdigit():
        return None  # nothing to answer, or a command, which is no message
    return discord.MessageReference(
        message_id=int(piece.reply_to),
        channel_id=int(piece.room_external_id),
        fail_if_not_exists=False,
    )


def _title(piece: Outgoing) -> str:
    return (piece.text.strip().splitlines() or ["…"])[0][:MOST_TITLE]


def _began(piece: Outgoing) -> datetime | None:
    said = piece.extra.get("first_tried_at")
    return datetime.fromisoformat(said) if isinstance(said, str) else None


def _is_same(message: discord.Message, piece: Outgoing) -> bool:
    answered = str(message.reference.message_id) if message.reference else ""
    if answered != piece.reply_to:
        return False
    if piece.kind == "file":
        return [one.filename for one in message.attachments] == [str(piece.extra["name"])]
    return message.content == piece.text.strip()


def refuse_late(piece: Outgoing) -> None:
    """Raise TooLate once no byte of a piece may leave any more."""
    if time.monotonic() >= piece.deadline:
        raise TooLate
