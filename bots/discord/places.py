"""Servers, channels, threads and direct rooms, as places of ours."""

from __future__ import annotations

from typing import TypeAlias

import discord

from agentapp.foundation.envelope import Place
from agentapp.presence.doorways import Door, Group

MAX_NAME = 120  # characters of a place's whole name
_NEEDED = {
    "send_messages": "Send Messages",
    "read_message_history": "Read Message History",
}

Listed: TypeAlias = discord.TextChannel | discord.ForumChannel


def place_of(channel: object) -> Place | None:
    """Return a place, or None where nobody writes."""
    match channel:
        case discord.DMChannel():
            name = channel.recipient.display_name if channel.recipient else ""
            return Place(str(channel.id), name=name, kind="direct")
        case discord.Thread():
            return _thread(channel)
        case discord.TextChannel() | discord.ForumChannel():
            return Place(
                str(channel.id),
                name=_full_name(channel),
                is_public=is_public(channel),
                group=str(channel.guild.id),
            )
    return None


def _thread(thread: discord.Thread) -> Place:
    parent = thread.parent
    is_open = isinstance(parent, Listed) and is_public(parent) and not thread.is_private()
    name = f"{thread.name[:60]} · {_full_name(parent)}" if parent else thread.name
    return Place(
        str(thread.id),
        name=name[:MAX_NAME],
        kind="thread",
        parent=str(thread.parent_id),
        is_public=is_open,
        group=str(thread.guild.id),
    )


def _full_name(channel: Listed) -> str:
    return f"{channel.name} ({channel.guild.name})"[:MAX_NAME]


def is_public(channel: Listed) -> bool:
    """Say whether everybody on its server can read a channel."""
    return channel.permissions_for(channel.guild.default_role).view_channel


def hindrance(channel: Listed) -> str:
    """Say what the bot lacks to talk in a channel; "" for nothing."""
    mine = channel.permissions_for(channel.guild.me)
    missing = [words for name, words in _NEEDED.items() if not getattr(mine, name)]
    if not missing:
        return ""
    return (
        f"Its role needs {' and '.join(missing)} here. Somebody who manages the server can give "
        "them."
    )


def may_see(channel: discord.abc.GuildChannel | discord.Thread) -> bool:
    """Say whether the bot can look into a channel."""
    return channel.permissions_for(channel.guild.me).view_channel


def group_of(guild: discord.Guild) -> Group:
    """Return a server with the channels in which the bot could talk, in the server's order."""
    seen = [one for one in _listed(guild) if may_see(one)]
    doors = [
        Door(str(one.id), one.name, is_public=is_public(one), hindrance=hindrance(one))
        for one in seen
    ]
    return Group(str(guild.id), guild.name, tuple(doors))


def _listed(guild: discord.Guild) -> list[Listed]:
    return [
        one
        for _, channels in guild.by_category()
        for one in channels
        if isinstance(one, discord.TextChannel | discord.ForumChannel)
    ]
