"""Messages as JSON objects: each reader gets what its intents allow."""

from __future__ import annotations

from tests.fakes.discord import shapes
from tests.fakes.discord.clock import EPOCH_MS, written
from tests.fakes.discord.model import (
    LOADING,
    REPLY,
    THREAD_STARTER,
    File,
    Message,
)
from tests.fakes.discord.shapes import Json, Viewer


def attachment(file: File, cdn: str) -> Json:
    """Return where the bytes lie; like the real ones, the links say until when they hold."""
    signed = f"?ex={(file.id >> 22) + EPOCH_MS:x}&is=0&hm={file.id:064x}"
    url = f"{cdn}/attachments/{file.channel_id}/{file.id}/{file.name}{signed}"
    told: Json = {
        "id": str(file.id),
        "filename": file.name,
        "size": len(file.data),
        "url": url,
        "proxy_url": url,
        "content_type": file.content_type,
    }
    return told | ({"description": file.description} if file.description else {})


def message(one: Message, reader: Viewer, cdn: str, *, quoted: bool = False) -> Json:
    """Return a message as this reader may read it; `quoted` inside the answer to it."""
    readable = may_read(one, reader)
    told: Json = {
        "id": str(one.id),
        "channel_id": str(one.channel.id),
        "author": shapes.user(one.author),
        "content": one.content if readable else "",
        "timestamp": written(one.at),
        "edited_timestamp": written(one.edited_at) if one.edited_at else None,
        "tts": False,
        "mention_everyone": one.mentions_everyone,
        "mentions": [shapes.user(who) for who in one.mentions],
        "mention_roles": [],
        "attachments": [attachment(file, cdn) for file in one.files] if readable else [],
        "embeds": one.embeds if readable else [],
        "components": one.components if readable else [],
        "pinned": False,
        "type": one.type,
        "flags": one.flags,
    }
    told |= _extras(one, reader)
    return told if quoted else told | _quoting(one, reader, cdn)


def may_read(one: Message, reader: Viewer) -> bool:
    if reader.reads_all or one.channel.guild is None:
        return True
    return one.author is reader.user or reader.user in one.mentions


def _extras(one: Message, reader: Viewer) -> Json:
    told: Json = {}
    if one.reactions:
        told["reactions"] = [
            {
                "emoji": shapes.emoji(name),
                "count": len(who),
                "count_details": {"burst": 0, "normal": len(who)},
                "burst_colors": [],
                "me": reader.user in who,
                "me_burst": False,
            }
            for name, who in one.reactions.items()
        ]
    if one.thread is not None:
        told["thread"] = shapes.channel(one.thread, reader.user)
    if one.interaction is not None:
        told["application_id"] = told["webhook_id"] = str(one.interaction.app.id)
        if one.flags & LOADING:
            told["content"] = ""
    return told


def _quoting(one: Message, reader: Viewer, cdn: str) -> Json:
    if one.reference is None:
        return {}
    place = one.channel
    if one.type == THREAD_STARTER and place.parent is not None:
        place = place.parent
    pointer: Json = {"type": 0, "channel_id": str(place.id), "message_id": str(one.reference)}
    if place.guild is not None:
        pointer["guild_id"] = str(place.guild.id)
    told: Json = {"message_reference": pointer}
    if one.type in {REPLY, THREAD_STARTER}:
        original = place.messages.get(one.reference)
        quoted = message(original, reader, cdn, quoted=True) if original else None
        told["referenced_message"] = quoted
    return told
