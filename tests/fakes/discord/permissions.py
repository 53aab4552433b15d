"""Who may do what where: one role for everybody, and denials of single people in a channel."""

from __future__ import annotations

from tests.fakes.discord.model import Channel, User

BITS = {
    "create_instant_invite": 1 << 0,
    "manage_channels": 1 << 4,
    "add_reactions": 1 << 6,
    "view_channel": 1 << 10,
    "send_messages": 1 << 11,
    "manage_messages": 1 << 13,
    "embed_links": 1 << 14,
    "attach_files": 1 << 15,
    "read_message_history": 1 << 16,
    "mention_everyone": 1 << 17,
    "manage_threads": 1 << 34,
    "create_public_threads": 1 << 35,
    "create_private_threads": 1 << 36,
    "send_messages_in_threads": 1 << 38,
    "use_application_commands": 1 << 31,
}
ALL = sum(BITS.values())
# What @everyone may do in a new guild: nothing that touches what others have made.
USUAL = ALL & ~(
    BITS["manage_channels"]
    | BITS["manage_messages"]
    | BITS["manage_threads"]
    | BITS["mention_everyone"]
)


def may(user: User, channel: Channel, name: str) -> bool:
    """Tell whether a user may do this here; in a DM, whether the user is part of it."""
    guild = channel.guild
    if guild is None:
        return user in channel.recipients
    if user.id not in guild.members:
        return False
    return bool(bits_of(user, channel) & BITS[name])


def bits_of(user: User, channel: Channel) -> int:
    """Return all that a member of the guild may do here; a thread asks its parent."""
    assert channel.guild is not None
    if user is channel.guild.owner:
        return ALL
    place = channel.parent if channel.is_thread and channel.parent else channel
    own = channel.guild.members[user.id].granted
    bits = (USUAL | own) & ~place.denied.get(user.id, 0)
    if channel.is_private_thread and user.id not in channel.joined:
        bits &= ~BITS["view_channel"]
    # Who cannot see a channel can do nothing in it.
    return bits if bits & BITS["view_channel"] else 0
