"""The fake's things as JSON objects of Discord's API v10. Ids are strings; absent is not null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.discord import intents
from tests.fakes.discord.clock import written
from tests.fakes.discord.model import (
    DM,
    FORUM,
    App,
    Channel,
    Guild,
    Member,
    User,
)
from tests.fakes.discord.permissions import USUAL, may

Json = dict[str, Any]


@dataclass(frozen=True)
class Viewer:
    """For whom something is written: what a bot may read differs by its intents."""

    user: User
    reads_all: bool

    @classmethod
    def rest(cls, app: App) -> Viewer:
        return cls(app.user, bool(app.enabled & intents.MESSAGE_CONTENT))


def user(one: User) -> Json:
    return {
        "id": str(one.id),
        "username": one.name,
        "discriminator": "0",
        "global_name": None if one.is_bot else one.name.capitalize(),
        "avatar": None,
        "bot": one.is_bot,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }


def me(one: User) -> Json:
    """Return a user as it reads itself."""
    own = {"mfa_enabled": True, "verified": True, "locale": "en-US", "email": None}
    return user(one) | own


def application(app: App) -> Json:
    return {
        "id": str(app.id),
        "name": app.user.name,
        "icon": None,
        "description": "",
        "type": None,
        "summary": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": _flags(app),
        "owner": user(app.owner),
        "team": None,
        "bot": user(app.user),
        "redirect_uris": [],
        "interactions_endpoint_url": app.interactions_endpoint_url,
        "role_connections_verification_url": None,
        "flags_new": str(_flags(app)),
        "approximate_guild_count": 0,
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": [],
    }


# The flags that say which privileged intents are on, below the review threshold.
_LIMITED = {intents.PRESENCES: 1 << 13, intents.MEMBERS: 1 << 15, intents.MESSAGE_CONTENT: 1 << 19}


def _flags(app: App) -> int:
    return sum(flag for bit, flag in _LIMITED.items() if app.enabled & bit)


def enabled_by(flags: int) -> int:
    """Return the privileged intents that an application's flags switch on."""
    return sum(bit for bit, flag in _LIMITED.items() if flags & flag)


def member(one: Member, *, with_user: bool = True) -> Json:
    told: Json = {
        "nick": one.nick,
        "avatar": None,
        "banner": None,
        "roles": [str(one.role)] if one.role else [],
        "joined_at": written(one.joined_at),
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }
    return told | {"user": user(one.user)} if with_user else told


def role_of_everyone(guild: Guild) -> Json:
    return {
        "id": str(guild.id),
        "name": "@everyone",
        "description": None,
        "permissions": str(USUAL),
        "position": 0,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def role_of(one: Member) -> Json:
    """Return somebody's own role."""
    usual: Json = {"color": 0, "hoist": False, "managed": False, "mentionable": False, "flags": 0}
    usual |= {"description": None, "icon": None, "unicode_emoji": None}
    own = {"id": str(one.role), "name": one.user.name, "permissions": str(one.granted)}
    colors = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}
    return usual | own | {"position": 1, "colors": colors}


def guild(one: Guild) -> Json:
    own = [role_of(who) for who in one.members.values() if who.role]
    return {
        "id": str(one.id),
        "name": one.name,
        "owner_id": str(one.owner.id),
        "icon": None,
        "roles": [role_of_everyone(one), *own],
        "emojis": [],
        "stickers": [],
        "features": [],
        "verification_level": 0,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "afk_timeout": 300,
        "afk_channel_id": None,
        "system_channel_id": None,
        "system_channel_flags": 0,
    }


def guild_create(one: Guild, app: App) -> Json:
    """Return a guild as it is sent when the bot joins.

    Channels are listed also where the bot cannot look into them, threads only where it can.
    """
    places = one.channels.values()
    seen = [place for place in places if may(app.user, place, "view_channel")]
    live = [thread for thread in seen if thread.is_thread and not thread.archived]
    return guild(one) | {
        "channels": [channel(place, app.user) for place in places if not place.is_thread],
        "threads": [channel(thread, app.user) for thread in live],
        "members": [member(who) for who in one.members.values()],
        "member_count": len(one.members),
        "joined_at": written(one.members[app.id].joined_at),
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "large": False,
    }


def channel(place: Channel, reader: User) -> Json:
    """Return a channel, thread or DM as this reader gets it."""
    told: Json = {"id": str(place.id), "type": place.type, "flags": 0}
    told["last_message_id"] = str(place.last_message_id) if place.last_message_id else None
    if place.type == DM:
        others = [user(one) for one in place.recipients if one is not reader]
        return told | {"recipients": others}
    assert place.guild is not None
    told |= {"guild_id": str(place.guild.id), "name": place.name, "rate_limit_per_user": 0}
    if place.is_thread:
        return told | _thread(place, reader)
    told |= {
        "position": 0,
        "parent_id": None,
        "topic": None,
        "nsfw": False,
        "permission_overwrites": [
            {"id": str(who), "type": 1, "allow": "0", "deny": str(bits)}
            for who, bits in place.denied.items()
        ],
    }
    return told | (_forum() if place.type == FORUM else {})


def _thread(place: Channel, reader: User) -> Json:
    assert place.parent is not None
    assert place.owner is not None
    told: Json = {
        "parent_id": str(place.parent.id),
        "owner_id": str(place.owner.id),
        "message_count": len(place.messages),
        "total_message_sent": len(place.messages),
        "member_count": len(place.joined),
        "thread_metadata": {
            "archived": place.archived,
            "locked": place.locked,
            "auto_archive_duration": 1440,
            "archive_timestamp": written(place.archived_at or place.made_at),
            "create_timestamp": written(place.made_at),
        },
    }
    if place.parent.type == FORUM:
        told["applied_tags"] = []
    if reader.id in place.joined:
        told["member"] = thread_member(place, reader)
    return told


def thread_member(place: Channel, who: User) -> Json:
    return {
        "id": str(place.id),
        "user_id": str(who.id),
        "join_timestamp": written(place.made_at),
        "flags": 0,
    }


def _forum() -> Json:
    return {
        "available_tags": [],
        "default_reaction_emoji": None,
        "default_sort_order": None,
        "default_forum_layout": 0,
        "template": "",
    }


def emoji(written_as: str) -> Json:
    return {"id": None, "name": written_as}
