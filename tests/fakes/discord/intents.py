"""Which events a session has asked for, and whose words it may read."""

from __future__ import annotations

GUILDS = 1 << 0
MEMBERS = 1 << 1
PRESENCES = 1 << 8
MESSAGE_CONTENT = 1 << 15
PRIVILEGED = MEMBERS | PRESENCES | MESSAGE_CONTENT
KNOWN = (1 << 26) - 1

_GUILD_MESSAGES, _DMS = 1 << 9, 1 << 12
_GUILD_REACTIONS, _DM_REACTIONS = 1 << 10, 1 << 13
_GUILD_TYPING, _DM_TYPING = 1 << 11, 1 << 14
# By the beginning of an event's name: what it takes in a guild, and in a DM. 0 is always sent.
_NEEDED = {
    "MESSAGE_REACTION": (_GUILD_REACTIONS, _DM_REACTIONS),
    "MESSAGE": (_GUILD_MESSAGES, _DMS),
    "TYPING": (_GUILD_TYPING, _DM_TYPING),
    "GUILD_MEMBER_": (MEMBERS, MEMBERS),
    "INTERACTION": (0, 0),
    "GUILD_MEMBERS_CHUNK": (0, 0),
    "GUILD": (GUILDS, GUILDS),
    "CHANNEL": (GUILDS, _DMS),
    "THREAD": (GUILDS, GUILDS),
}


def wants(intents: int, event: str, *, in_guild: bool) -> bool:
    """Tell whether a session with these intents is sent such an event."""
    for beginning, (guild, dm) in _NEEDED.items():
        if event.startswith(beginning):
            needed = guild if in_guild else dm
            return not needed or bool(intents & needed)
    raise AssertionError(f"nobody said which intent {event} takes")
