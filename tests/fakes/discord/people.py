"""Those who act on the fake: guilds, bots, and people who say things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.discord import model
from tests.fakes.discord.faces import Asked, Message, Place, Stage
from tests.fakes.discord.model import FORUM, PRIVATE_THREAD, PUBLIC_THREAD
from tests.fakes.discord.permissions import BITS, may
from tests.fakes.discord.speech import Words


@dataclass(frozen=True)
class Guild:
    stage: Stage
    it: model.Guild

    @property
    def id(self) -> int:
        return self.it.id

    def channel(self, name: str) -> Place:
        return Place(self.stage, self.stage.do(self.stage.world.new_channel, self.it, name))

    def forum(self, name: str) -> Place:
        make = self.stage.world.new_channel
        return Place(self.stage, self.stage.do(make, self.it, name, FORUM))

    def member(self, name: str) -> Person:
        """Make a person who is a member."""
        person = Person(self.stage, self.stage.do(self.stage.world.new_user, name))
        self.welcomes(person)
        return person

    def moderator(self, name: str) -> Person:
        """Make a member who may delete what others have written."""
        person = self.member(name)
        self.grants(person, "manage_messages", "manage_threads", "mention_everyone")
        return person

    def grants(self, who: Person | Bot, *names: str) -> None:
        """Give somebody a role of their own with these permissions; see permissions.BITS."""
        bits = sum(BITS[name] for name in names)
        self.stage.do(self.stage.world.grant, self.it, who.user, bits)

    def welcomes(self, who: Person | Bot) -> None:
        self.stage.do(self.stage.world.join, self.it, who.user)

    def removes(self, who: Person | Bot) -> None:
        """Kick somebody."""
        self.stage.do(self.stage.world.leave, self.it, who.user)


@dataclass(frozen=True)
class Bot:
    """An application and its bot; what it does comes over the wire."""

    stage: Stage
    app: model.App

    @property
    def id(self) -> int:
        return self.app.id

    @property
    def user(self) -> model.User:
        return self.app.user

    @property
    def token(self) -> str:
        return self.app.token

    @property
    def name(self) -> str:
        return self.app.user.name

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    @property
    def identifies(self) -> int:
        return self.app.identifies

    def offers(self, guild: Guild | None = None) -> set[str]:
        """Return the names of the commands it has registered."""
        return {one["name"] for one in self.app.commands.get(guild.id if guild else None, [])}

    def loses_its_token(self) -> None:
        """Have the owner reset it: what is open closes with 4004, and the old one is refused."""
        self.stage.do(self.stage.world.reset_token, self.app)


@dataclass(frozen=True)
class Person:
    """Somebody at a keyboard."""

    stage: Stage
    user: model.User

    @property
    def id(self) -> int:
        return self.user.id

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def says(
        self,
        where: Place,
        text: str,
        *,
        reply_to: Message | None = None,
        files: Mapping[str, bytes] | None = None,
        rings: bool = True,
    ) -> Message:
        """Write a message; `rings` is whether a reply mentions whom it answers."""
        assert may(self.user, where.it, "view_channel"), f"{self.name} cannot see that place"
        kinds = ["users", "roles", "everyone"]

        def say() -> model.Message:
            words = Words(
                text,
                [self._file(where, name, data) for name, data in (files or {}).items()],
                answers=reply_to.it if reply_to else None,
                allowed={"parse": kinds, "replied_user": rings},
            )
            return self.stage.speech.say(where.it, self.user, words)

        return Message(self.stage, self.stage.do(say))

    def _file(self, where: Place, name: str, data: bytes) -> model.File:
        world = self.stage.world
        kind = "text/plain" if name.endswith(".txt") else "application/octet-stream"
        kind = "image/png" if name.endswith(".png") else kind
        file = model.File(world.clock.snowflake(), where.id, name, kind, data)
        world.files[file.id] = file
        return file

    def edits(self, message: Message, text: str) -> None:
        assert message.it.author is self.user, "people edit only their own messages"
        self.stage.do(self.stage.speech.edit, message.it, {"content": text})

    def deletes(self, *messages: Message) -> None:
        """Delete messages; several go at once, as moderators do it."""
        for one in messages:
            own = one.it.author is self.user
            assert own or may(self.user, one.it.channel, "manage_messages"), "not allowed"
        if len(messages) == 1:
            self.stage.do(self.stage.speech.delete, messages[0].it)
        else:
            self.stage.do(self.stage.speech.delete_many, [one.it for one in messages])

    def reacts(self, message: Message, emoji: str) -> None:
        self.stage.do(self.stage.speech.react, message.it, self.user, emoji)

    def unreacts(self, message: Message, emoji: str) -> None:
        self.stage.do(self.stage.speech.unreact, message.it, self.user, emoji)

    def types(self, where: Place) -> None:
        self.stage.do(self.stage.speech.type, where.it, self.user)

    def dm(self, other: Person | Bot) -> Place:
        """Return the DM with somebody."""
        return Place(self.stage, self.stage.do(self.stage.world.dm, self.user, other.user))

    def refuses_dms(self, *, refused: bool = True) -> None:
        self.user.accepts_dms = not refused

    def opens_thread(
        self, where: Place, name: str, *, on: Message | None = None, private: bool = False
    ) -> Place:
        """Open a thread in a channel, or on one of its messages."""
        if on is not None:
            make = self.stage.speech.thread_on
            return Place(self.stage, self.stage.do(make, on.it, name, self.user))
        kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        make_free = self.stage.speech.thread_in
        return Place(self.stage, self.stage.do(make_free, where.it, name, self.user, kind))

    def posts(self, forum: Place, name: str, text: str) -> Place:
        """Open a post in a forum."""
        post = self.stage.speech.post
        return Place(self.stage, self.stage.do(post, forum.it, name, self.user, Words(text)))

    def runs(self, command: str, where: Place, bot: Bot, **given: Any) -> Asked:
        """Use a slash command of a bot, written `/name`; it has to be registered."""

        def run() -> model.Interaction:
            name = command.removeprefix("/")
            found = self.stage.commands.find(bot.app, where.it.guild, name)
            assert found is not None, f"{bot.name} offers no {command}"
            return self.stage.commands.run(self.user, where.it, found, given)

        return Asked(self.stage, self.stage.do(run))

    def picks(self, label: str, message: Message, bot: Bot) -> Asked:
        """Choose an entry of a message's menu; it has to be registered."""

        def pick() -> model.Interaction:
            found = self.stage.commands.find(bot.app, message.it.channel.guild, label)
            assert found is not None, f"{bot.name} offers no {label!r}"
            return self.stage.commands.pick(self.user, message.it, found)

        return Asked(self.stage, self.stage.do(pick))

    def presses(self, message: Message, custom_id: str) -> Asked:
        """Press a button."""
        assert custom_id in message.buttons, f"there is no button {custom_id}"
        press = self.stage.commands.press
        return Asked(self.stage, self.stage.do(press, self.user, message.it, custom_id))

    def fills_in(self, asked: Asked, **given: str) -> Asked:
        """Send a form that one was asked to fill in."""
        return Asked(self.stage, self.stage.do(self.stage.commands.submit, asked.it, given))
