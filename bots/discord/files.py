"""Attachments: fetched within bounds, from Discord's own hosts only."""

from __future__ import annotations

import aiohttp
import discord

from agentapp.foundation.errors import Refused
from bots.connector import FileTooLong, NotSent
from bots.discord.address import FileAddress, checked_file_url
from bots.discord.errors import translated

CHUNK = 65_536  # bytes read at once


async def fetched(client: discord.Client, source: str, *, most: int) -> bytes:
    """Return an attachment, reading at most `most` bytes of it; its link is asked for anew.

    Raises:
        FileTooLong: It is longer, whatever its sender said.
        Refused: It is gone, or lies elsewhere.
    """
    where = FileAddress.read(source)
    channel = client.get_partial_messageable(where.channel_id)
    with translated():
        message = await channel.fetch_message(where.message_id)
    for one in message.attachments:
        if one.id == where.attachment_id:
            return await _downloaded(checked_file_url(one.url), most=most)
    raise Refused("The file is no longer there.")


async def _downloaded(url: str, *, most: int) -> bytes:
    """Return what stands at one of Discord's addresses, reading no more than allowed."""
    content = bytearray()
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise NotSent(f"Discord's files answer {answer.status}.")
        async for part in answer.content.iter_chunked(CHUNK):
            content += part
            if len(content) > most:
                raise FileTooLong
    return bytes(content)
