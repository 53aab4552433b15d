"""What a bot may read beyond what is meant for it: Discord hands it out only where it is on."""

from __future__ import annotations

from dataclasses import dataclass

import discord

# The flags of an application that may be set from here; the portal sets others for large bots.
CONTENT_LIMITED = 1 << 19
MEMBERS_LIMITED = 1 << 15


@dataclass(frozen=True, slots=True)
class Reads:
    """What is switched on for a bot.

    Attributes:
        content: What is said in channels, also where it is not meant for the bot.
        members: Who comes into a server and who leaves it.
    """

    content: bool = False
    members: bool = False

    @classmethod
    def of(cls, flags: discord.ApplicationFlags) -> Reads:
        """Return what Discord's portal has switched on for an application."""
        return cls(
            content=flags.gateway_message_content or flags.gateway_message_content_limited,
            members=flags.gateway_guild_members or flags.gateway_guild_members_limited,
        )


def intents(reads: Reads) -> discord.Intents:
    """Return what a connection asks for: no more than is switched on and used."""
    found = discord.Intents.none()
    found.guilds = found.guild_messages = found.dm_messages = True
    found.guild_reactions = found.dm_reactions = True
    found.message_content = reads.content
    found.members = reads.members
    return found
