"""Everything that exists on the fake, and how it comes and goes. Bots are told through the hub."""

from __future__ import annotations

import secrets

from tests.fakes.discord import shapes
from tests.fakes.discord.clock import Clock
from tests.fakes.discord.model import (
    DM,
    PUBLIC_THREAD,
    TEXT,
    THREADS,
    App,
    Channel,
    File,
    Guild,
    Interaction,
    Member,
    Message,
    User,
)
from tests.fakes.discord.permissions import BITS, may
from tests.fakes.discord.refusals import (
    MISSING_ACCESS,
    UNKNOWN_CHANNEL,
    UNKNOWN_GUILD,
    Refused,
)
from tests.fakes.discord.sessions import Hub
from tests.fakes.discord.shapes import Json, Viewer


class World:
    """Owned by the server's own thread: nobody else reads or writes it."""

    def __init__(self, clock: Clock, hub: Hub) -> None:
        self.clock = clock
        self.hub = hub
        self.users: dict[int, User] = {}
        self.apps: dict[int, App] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, File] = {}
        self.interactions: dict[str, Interaction] = {}

    # People and applications

    def new_user(self, name: str, *, is_bot: bool = False) -> User:
        user = User(self.clock.snowflake(), name, is_bot)
        self.users[user.id] = user
        return user

    def new_app(self, name: str, owner: User, enabled: int) -> App:
        user = self.new_user(name, is_bot=True)
        app = App(user, f"token-{user.id}-{secrets.token_hex(8)}", owner, enabled)
        self.apps[app.id] = app
        return app

    def app_with(self, token: str) -> App | None:
        return next((one for one in self.apps.values() if one.token == token), None)

    def reset_token(self, app: App) -> None:
        """Give an application another token, which ends all that it has open."""
        app.token = f"token-{app.id}-{secrets.token_hex(8)}"
        for session in self.hub.of(app):
            if session.line is not None:
                session.line.close(4004, "Authentication failed.")
            self.hub.end(session)

    # Guilds

    def new_guild(self, name: str, owner: User) -> Guild:
        guild = Guild(self.clock.snowflake(), name, owner)
        self.guilds[guild.id] = guild
        guild.members[owner.id] = Member(owner, self.clock.now())
        return guild

    def guilds_of(self, app: App) -> list[Guild]:
        return [one for one in self.guilds.values() if app.id in one.members]

    def guild_for(self, app: App, guild_id: int) -> Guild:
        guild = self.guilds.get(guild_id)
        if guild is None:
            raise Refused(*UNKNOWN_GUILD)
        if app.id not in guild.members:
            raise Refused(*MISSING_ACCESS)
        return guild

    def join(self, guild: Guild, user: User) -> None:
        member = Member(user, self.clock.now())
        guild.members[user.id] = member
        where = {"guild_id": str(guild.id)}
        self.hub.say_in_guild("GUILD_MEMBER_ADD", guild, lambda _: shapes.member(member) | where)
        app = self.apps.get(user.id)
        if app is not None:
            self.hub.say_to(app, "GUILD_CREATE", guild, lambda _: shapes.guild_create(guild, app))

    def grant(self, guild: Guild, user: User, bits: int) -> None:
        """Give a member a role of their own, or change what it allows."""
        member = guild.members[user.id]
        is_new = member.role is None
        member.role, member.granted = member.role or self.clock.snowflake(), bits
        told = {"guild_id": str(guild.id), "role": shapes.role_of(member)}
        event = "GUILD_ROLE_CREATE" if is_new else "GUILD_ROLE_UPDATE"
        self.hub.say_in_guild(event, guild, lambda _: told)

    def leave(self, guild: Guild, user: User) -> None:
        guild.members.pop(user.id)
        gone = {"guild_id": str(guild.id), "user": shapes.user(user)}
        self.hub.say_in_guild("GUILD_MEMBER_REMOVE", guild, lambda _: gone)
        app = self.apps.get(user.id)
        if app is not None:
            self.hub.say_to(app, "GUILD_DELETE", guild, lambda _: {"id": str(guild.id)})

    # Places

    def new_channel(self, guild: Guild, name: str, kind: int = TEXT) -> Channel:
        now = self.clock.now()
        place = Channel(self.clock.snowflake(), kind, name, now, guild)
        self._keep(place)
        self._tell_of(place, "CHANNEL_CREATE")
        return place

    def _tell_of(self, place: Channel, event: str) -> None:
        """Tell of a place: of a thread whoever can see it, of a channel the whole guild."""
        if place.guild is None or place.is_thread:
            self.hub.say(event, place, lambda to: shapes.channel(place, to.user))
        else:
            self.hub.say_in_guild(event, place.guild, lambda to: shapes.channel(place, to.user))

    def _keep(self, place: Channel) -> None:
        self.channels[place.id] = place
        if place.guild is not None:
            place.guild.channels[place.id] = place

    def drop_channel(self, place: Channel) -> None:
        """Delete a channel with its threads, or a thread."""
        event = "THREAD_DELETE" if place.is_thread else "CHANNEL_DELETE"
        self._tell_of(place, event)
        for one in [place, *(one for one in self.channels.values() if one.parent is place)]:
            self.channels.pop(one.id)
            if one.guild is not None:
                one.guild.channels.pop(one.id)

    def change_channel(self, place: Channel) -> None:
        """Tell everybody how a channel or thread is now."""
        self._tell_of(place, "THREAD_UPDATE" if place.is_thread else "CHANNEL_UPDATE")

    def archive(self, thread: Channel, *, archived: bool = True) -> None:
        """Close a thread, or open it again; either is noted with its time."""
        thread.archived, thread.archived_at = archived, self.clock.now()
        self.change_channel(thread)

    def deny(self, place: Channel, user: User, names: tuple[str, ...]) -> None:
        """Take permissions in one channel from one member, or give them back with none."""
        place.denied[user.id] = sum(BITS[name] for name in names)
        self.change_channel(place)

    def new_thread(
        self,
        parent: Channel,
        name: str,
        owner: User,
        kind: int = PUBLIC_THREAD,
        message: Message | None = None,
    ) -> Channel:
        """Open a thread. One on a message has that message's id."""
        id_ = message.id if message else self.clock.snowflake()
        thread = Channel(id_, kind, name, self.clock.now(), parent.guild, parent, owner)
        thread.joined.add(owner.id)
        self._keep(thread)
        new = {"newly_created": True}
        self.hub.say("THREAD_CREATE", thread, lambda to: shapes.channel(thread, to.user) | new)
        return thread

    def threads_of(self, guild: Guild, reader: User) -> list[Channel]:
        places = guild.channels.values()
        return [one for one in places if one.type in THREADS and may(reader, one, "view_channel")]

    def dm(self, one: User, other: User) -> Channel:
        """Return the DM of two, opened by the first of them; there is one for ever."""
        for place in self.channels.values():
            if place.type == DM and one in place.recipients and other in place.recipients:
                return place
        place = Channel(self.clock.snowflake(), DM, "", self.clock.now())
        place.recipients = [one, other]
        self._keep(place)
        return place

    def _accepts(self, sender: User, to: User) -> bool:
        shared = any({sender.id, to.id} <= set(one.members) for one in self.guilds.values())
        return to.accepts_dms and shared

    def may_write_dm(self, place: Channel, sender: User) -> bool:
        """Tell whether the other of a DM still takes what the sender writes."""
        others = [one for one in place.recipients if one is not sender]
        return all(self._accepts(sender, other) for other in others)

    def place_for(self, app: App, channel_id: int) -> Channel:
        """Return a place that a bot may look at.

        Raises:
            Refused: There is none, or it may not.
        """
        place = self.channels.get(channel_id)
        if place is None:
            raise Refused(*UNKNOWN_CHANNEL)
        if not may(app.user, place, "view_channel"):
            raise Refused(*MISSING_ACCESS)
        return place

    # What readers are told

    def dm_event(self, place: Channel) -> None:
        """Tell a bot about its DM before the first message in it, as the gateway does."""
        if place.type == DM:
            self.hub.say("CHANNEL_CREATE", place, lambda to: _dm(place, to))


def _dm(place: Channel, reader: Viewer) -> Json:
    return shapes.channel(place, reader.user)
