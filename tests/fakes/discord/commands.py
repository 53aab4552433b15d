"""Slash commands and buttons: registered by bots, used by members, answered by bots."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from tests.fakes.discord import message_shapes, shapes
from tests.fakes.discord.model import (
    COMMAND_ANSWER,
    COMPONENT,
    EPHEMERAL,
    LOADING,
    MODAL_SUBMIT,
    SLASH,
    App,
    Channel,
    Guild,
    Interaction,
    Message,
    User,
)
from tests.fakes.discord.permissions import bits_of
from tests.fakes.discord.refusals import (
    ALREADY_ANSWERED,
    UNKNOWN_INTERACTION,
    UNKNOWN_MESSAGE,
    UNKNOWN_WEBHOOK,
    WEBHOOK_TOKEN,
    Refused,
)
from tests.fakes.discord.shapes import Json, Viewer
from tests.fakes.discord.speech import Speech, Words

FIRST_ANSWER_SECONDS = 3.0
TOKEN_SECONDS = 15 * 60.0
SAYS, DEFERS, DEFERS_UPDATE, UPDATES, ASKS_FORM = 4, 5, 6, 7, 9
_TYPES = {str: 3, bool: 5, int: 4, float: 10}


class Commands:
    """What was registered, and what became of each use."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.world = speech.world

    # Registering

    def register(self, app: App, guild_id: int | None, wanted: Json) -> Json:
        """Add a command, or replace the one with the same name and type."""
        kept = app.commands.setdefault(guild_id, [])
        same = [one for one in kept if _key(one) == _key(wanted)]
        for one in same:
            kept.remove(one)
        command = self._filled(app, guild_id, wanted, same[0]["id"] if same else None)
        kept.append(command)
        return command

    def register_all(self, app: App, guild_id: int | None, wanted: list[Json]) -> list[Json]:
        """Have exactly these commands."""
        keys = {_key(one) for one in wanted}
        kept = app.commands.get(guild_id, [])
        app.commands[guild_id] = [one for one in kept if _key(one) in keys]
        return [self.register(app, guild_id, one) for one in wanted]

    def _filled(self, app: App, guild_id: int | None, wanted: Json, id_: str | None) -> Json:
        version = self.world.clock.snowflake()
        usual: Json = {
            "type": 1,
            "description": "",
            "options": [],
            "default_member_permissions": None,
            "dm_permission": True,
            "nsfw": False,
        }
        own = {"id": id_ or str(version), "application_id": str(app.id), "version": str(version)}
        given = {key: value for key, value in wanted.items() if value is not None}
        return usual | given | own | ({"guild_id": str(guild_id)} if guild_id else {})

    def find(self, app: App, guild: Guild | None, name: str) -> Json | None:
        """Return the command that a member of this guild sees under a name."""
        seen = app.commands.get(guild.id, []) if guild else []
        return next(
            (one for one in [*seen, *app.commands.get(None, [])] if one["name"] == name), None
        )

    # Using

    def run(
        self, user: User, place: Channel, command: Json, given: Mapping[str, Any]
    ) -> Interaction:
        """Let somebody use a command; return the interaction."""
        data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
        options = [
            {"name": name, "type": _TYPES[type(value)], "value": value}
            for name, value in given.items()
        ]
        if options:
            data["options"] = options
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        return self._begin(
            self.world.apps[int(command["application_id"])], user, place, SLASH, data
        )

    def pick(self, user: User, message: Message, command: Json) -> Interaction:
        """Let somebody choose an entry of a message's menu; the bot is told the whole message."""
        app = self.world.apps[int(command["application_id"])]
        shown = message_shapes.message(message, Viewer(app.user, True), self.speech.cdn)
        data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]}
        data |= {"target_id": str(message.id), "resolved": {"messages": {str(message.id): shown}}}
        return self._begin(app, user, message.channel, SLASH, data)

    def press(self, user: User, message: Message, custom_id: str) -> Interaction:
        """Let somebody press a button of a message."""
        data: Json = {"custom_id": custom_id, "component_type": 2}
        app = self.world.apps[message.author.id]
        return self._begin(app, user, message.channel, COMPONENT, data, message)

    def submit(self, asked: Interaction, given: Mapping[str, str]) -> Interaction:
        """Let the person who was asked a form fill it in."""
        assert asked.modal is not None
        rows = [
            {"type": 1, "components": [{"type": 4, "custom_id": name, "value": value}]}
            for name, value in given.items()
        ]
        data: Json = {"custom_id": asked.modal["custom_id"], "components": rows}
        return self._begin(asked.app, asked.user, asked.channel, MODAL_SUBMIT, data, asked.message)

    def _begin(
        self,
        app: App,
        user: User,
        place: Channel,
        kind: int,
        data: Json,
        message: Message | None = None,
    ) -> Interaction:
        id_, token = self.world.clock.snowflake(), secrets.token_urlsafe(24)
        now = self.world.clock.now()
        begun = Interaction(id_, token, app, user, place, now, kind, data, message)
        self.world.interactions[token] = begun
        event = "INTERACTION_CREATE"
        self.world.hub.say_to(app, event, place.guild, lambda to: self._told(begun, to))
        return begun

    def _told(self, one: Interaction, reader: Viewer) -> Json:
        told: Json = {
            "id": str(one.id),
            "application_id": str(one.app.id),
            "type": one.type,
            "data": one.data,
            "token": one.token,
            "version": 1,
            "channel_id": str(one.channel.id),
            "channel": shapes.channel(one.channel, one.app.user),
            "locale": "en-US",
            "entitlements": [],
            "authorizing_integration_owners": {},
            "context": 0 if one.channel.guild else 1,
            "attachment_size_limit": 10 * 1024 * 1024,
            "app_permissions": "0",
        }
        if one.message is not None:
            told["message"] = message_shapes.message(one.message, reader, self.speech.cdn)
        return told | _by_whom(one)

    # Answering

    def open(self, interaction_id: int, token: str) -> Interaction:
        """Return the interaction that a bot wants to answer for the first time.

        Raises:
            Refused: It is unknown, three seconds have passed, or it has been answered.
        """
        found = self.world.interactions.get(token)
        if found is None or found.id != interaction_id:
            raise Refused(*UNKNOWN_INTERACTION)
        if found.kind is not None:
            raise Refused(*ALREADY_ANSWERED)
        if self.world.clock.now() > found.at + FIRST_ANSWER_SECONDS:
            raise Refused(*UNKNOWN_INTERACTION)
        return found

    def by_token(self, app_id: int, token: str) -> Interaction:
        """Return the interaction whose token a bot uses as a webhook's."""
        found = self.world.interactions.get(token)
        if found is None or found.app.id != app_id or found.kind is None:
            raise Refused(*UNKNOWN_WEBHOOK)
        if self.world.clock.now() > found.at + TOKEN_SECONDS:
            raise Refused(*WEBHOOK_TOKEN)
        return found

    def answer(self, one: Interaction, kind: int, data: Json, words: Words) -> None:
        """Take a bot's first answer."""
        one.kind = kind
        if kind == SAYS:
            one.original = self._write(one, words, EPHEMERAL & words.flags)
        elif kind == DEFERS:
            flags = LOADING | (EPHEMERAL & data.get("flags", 0))
            one.original = self._write(one, Words("…"), flags)
        elif kind in {UPDATES, DEFERS_UPDATE}:
            one.original = one.message
            if kind == UPDATES and one.message is not None:
                self.speech.edit(one.message, data)
        elif kind == ASKS_FORM:
            one.modal = data

    def follow_up(self, one: Interaction, words: Words) -> Message:
        """Take what a bot says later; the first one after a deferral fills what was promised."""
        if one.original is not None and one.original.flags & LOADING:
            return self.rewrite(one.original, {"content": words.content, "embeds": words.embeds})
        message = self._write(one, words, EPHEMERAL & words.flags)
        one.follow_ups.append(message)
        return message

    def rewrite(self, message: Message, changes: Mapping[str, Any]) -> Message:
        """Change an answer. Nobody but the one who asked hears of an ephemeral one."""
        message.flags &= ~LOADING
        if message.flags & EPHEMERAL:
            message.content = changes.get("content") or message.content
        else:
            self.speech.edit(message, changes)
        return message

    def answer_named(self, one: Interaction, name: str) -> Message:
        """Return the original answer or a later one by its id."""
        if name == "@original":
            found = one.original
        else:
            found = next((say for say in one.follow_ups if str(say.id) == name), None)
        if found is None:
            raise Refused(*UNKNOWN_MESSAGE)
        return found

    def withdraw(self, one: Interaction, message: Message) -> None:
        """Delete an answer."""
        if message is one.original:
            one.original = None
        else:
            one.follow_ups.remove(message)
        if not message.flags & EPHEMERAL:
            self.speech.delete(message)

    def _write(self, one: Interaction, words: Words, flags: int) -> Message:
        kind = COMMAND_ANSWER if one.type == SLASH else 0
        message = self.speech.compose(one.channel, one.app.user, words, kind)
        message.flags, message.interaction = flags, one
        if not flags & EPHEMERAL:
            self.speech.announce(message)
        return message


def _key(command: Json) -> tuple[str, int]:
    return command["name"], command.get("type", 1)


def _by_whom(one: Interaction) -> Json:
    guild = one.channel.guild
    if guild is None:
        return {"user": shapes.user(one.user)}
    member = shapes.member(guild.members[one.user.id])
    member["permissions"] = str(bits_of(one.user, one.channel))
    place: Json = {"id": str(guild.id), "locale": "en-US", "features": []}
    return {"member": member, "guild_id": str(guild.id), "guild": place, "guild_locale": "en-US"}
