"""What of a bot's own words stands in the record only once Discord shows it."""

from __future__ import annotations

import discord

from agentapp.foundation.envelope import Outgoing


def is_post(client: discord.Client, outgoing: Outgoing) -> bool:
    """Say whether a message opened a thread of its own in a forum."""
    return isinstance(client.get_channel(int(outgoing.room_external_id)), discord.ForumChannel)
