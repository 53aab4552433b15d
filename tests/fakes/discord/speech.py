"""Messages: said, answered, edited, deleted and reacted to, by bots and by people alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.fakes.discord import message_shapes, shapes
from tests.fakes.discord.mentions import rung
from tests.fakes.discord.model import (
    DM,
    FORUM,
    HAS_THREAD,
    REPLY,
    SAID,
    THREAD_CREATED,
    THREAD_STARTER,
    Channel,
    File,
    Message,
    User,
)
from tests.fakes.discord.permissions import may
from tests.fakes.discord.refusals import EMPTY_MESSAGE, THREAD_EXISTS, Refused, invalid
from tests.fakes.discord.shapes import Json, Viewer
from tests.fakes.discord.world import World

LONGEST = 2000  # code points
NONCE_SECONDS = 180.0  # Discord says "the past few minutes"


@dataclass(frozen=True)
class Words:
    """What somebody wants to say."""

    content: str = ""
    files: list[File] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    answers: Message | None = None
    allowed: Mapping[str, Any] | None = None
    nonce: str | int | None = None
    flags: int = 0

    def check(self) -> None:
        """Raise Refused when Discord would not take it."""
        if len(self.content) > LONGEST:
            said = f"Must be {LONGEST} or fewer in length."
            raise invalid("content", "BASE_TYPE_MAX_LENGTH", said)
        if self.nonce is not None and len(str(self.nonce)) > 25:
            raise invalid("nonce", "NONCE_TYPE_TOO_LONG", "Must be 25 or fewer in length.")
        if not (self.content.strip() or self.files or self.embeds or self.components):
            raise Refused(*EMPTY_MESSAGE)


class Speech:
    """What is said in the world, and how everybody hears of it."""

    def __init__(self, world: World, cdn: str) -> None:
        self.world = world
        self.cdn = cdn
        self.created = 0
        self._nonces: dict[tuple[int, str], tuple[Message, float]] = {}

    def said_before(self, author: User, nonce: str | int | None) -> Message | None:
        """Return the message that an author made with this nonce within the past few minutes."""
        if nonce is None:
            return None
        message, until = self._nonces.get((author.id, str(nonce)), (None, 0.0))
        return message if self.world.clock.now() < until else None

    def say(self, place: Channel, author: User, words: Words, kind: int = SAID) -> Message:
        """Write a message and tell everybody who can see the place."""
        message = self.compose(place, author, words, kind)
        if words.nonce is not None:
            until = self.world.clock.now() + NONCE_SECONDS
            self._nonces[author.id, str(words.nonce)] = (message, until)
        self.announce(message)
        return message

    def announce(self, message: Message) -> None:
        """Put a composed message into its place and tell everybody who can see it."""
        if not message.channel.messages:
            self.world.dm_event(message.channel)
        self.keep(message)
        self._tell("MESSAGE_CREATE", message)

    def compose(self, place: Channel, author: User, words: Words, kind: int = SAID) -> Message:
        """Return a message that stands nowhere yet."""
        words.check()
        heard = rung(words.content, author, place, words.allowed, words.answers)
        return Message(
            id=self.world.clock.snowflake(),
            channel=place,
            author=author,
            content=words.content.strip(),
            at=self.world.clock.now(),
            type=REPLY if words.answers and kind == SAID else kind,
            mentions=heard.people,
            mentions_everyone=heard.everybody,
            files=words.files,
            embeds=_typed(words.embeds),
            components=_numbered(words.components),
            reference=words.answers.id if words.answers else None,
            flags=words.flags,
            nonce=words.nonce,
        )

    def keep(self, message: Message) -> None:
        """Put a message into its place, without telling anybody."""
        place = message.channel
        self.created += 1
        place.messages[message.id] = message
        place.last_message_id = message.id
        if place.is_thread:
            place.joined.add(message.author.id)
            if place.archived:
                self.world.archive(place, archived=False)

    def edit(self, message: Message, changes: Mapping[str, Any]) -> None:
        """Change what is given of content, embeds, components and files."""
        changed = Words(
            content=changes.get("content", message.content) or "",
            files=changes.get("files", message.files),
            embeds=changes.get("embeds", message.embeds) or [],
            components=changes.get("components", message.components) or [],
            allowed=changes.get("allowed_mentions"),
        )
        changed.check()
        place = message.channel
        answered = place.messages.get(message.reference or 0) if message.type == REPLY else None
        heard = rung(changed.content, message.author, place, changed.allowed, answered)
        message.content = changed.content.strip()
        message.files, message.embeds = changed.files, _typed(changed.embeds)
        message.components, message.mentions = _numbered(changed.components), heard.people
        message.edited_at = self.world.clock.now()
        self._tell("MESSAGE_UPDATE", message)

    def delete(self, message: Message) -> None:
        place = message.channel
        place.messages.pop(message.id)
        gone = {"id": str(message.id)} | where(place)
        self.world.hub.say("MESSAGE_DELETE", place, lambda _: gone)

    def delete_many(self, messages: list[Message]) -> None:
        """Delete several at once, as moderators do; bots hear of it once."""
        place = messages[0].channel
        for message in messages:
            place.messages.pop(message.id)
        gone = {"ids": [str(one.id) for one in messages]} | where(place)
        self.world.hub.say("MESSAGE_DELETE_BULK", place, lambda _: gone)

    def react(self, message: Message, user: User, emoji: str) -> None:
        """Put a reaction; the second time it changes nothing."""
        people = message.reactions.setdefault(emoji, [])
        if user in people:
            return
        people.append(user)
        told = _reaction(message, user, emoji) | {"message_author_id": str(message.author.id)}
        if message.channel.guild is not None:
            told["member"] = shapes.member(message.channel.guild.members[user.id])
        told |= {"burst": False, "type": 0}
        self.world.hub.say("MESSAGE_REACTION_ADD", message.channel, lambda _: told)

    def unreact(self, message: Message, user: User, emoji: str) -> None:
        people = message.reactions.get(emoji, [])
        if user not in people:
            return
        people.remove(user)
        if not people:
            message.reactions.pop(emoji)
        told = _reaction(message, user, emoji) | {"burst": False, "type": 0}
        self.world.hub.say("MESSAGE_REACTION_REMOVE", message.channel, lambda _: told)

    def type(self, place: Channel, user: User) -> None:
        told: Json = {"user_id": str(user.id), "timestamp": int(self.world.clock.now())}
        told |= where(place)
        if place.guild is not None:
            told["member"] = shapes.member(place.guild.members[user.id])
        self.world.hub.say("TYPING_START", place, lambda _: told)

    def thread_on(self, message: Message, name: str, owner: User) -> Channel:
        """Open a thread on a message."""
        if message.thread is not None:
            raise Refused(*THREAD_EXISTS)
        thread = self.world.new_thread(message.channel, name, owner, message=message)
        message.thread = thread
        message.flags |= HAS_THREAD
        self._tell("MESSAGE_UPDATE", message)
        starter = Message(
            self.world.clock.snowflake(), thread, message.author, "", self.world.clock.now()
        )
        starter.type, starter.reference = THREAD_STARTER, message.id
        thread.messages[starter.id] = starter
        return thread

    def thread_in(self, parent: Channel, name: str, owner: User, kind: int) -> Channel:
        """Open a thread that hangs on no message; a public one is announced in its channel."""
        thread = self.world.new_thread(parent, name, owner, kind)
        if not thread.is_private_thread and parent.type != FORUM:
            notice = self.compose(parent, owner, Words(name), THREAD_CREATED)
            notice.reference = None
            self.announce(notice)
        return thread

    def post(self, forum: Channel, name: str, author: User, words: Words) -> Channel:
        """Open a post in a forum: a thread whose first message has its id."""
        words.check()
        thread = self.world.new_thread(forum, name, author)
        first = self.compose(thread, author, words)
        first.id = thread.id
        self.announce(first)
        return thread

    def changed(self, message: Message) -> None:
        """Tell everybody that a message is different now."""
        self._tell("MESSAGE_UPDATE", message)

    def _tell(self, event: str, message: Message) -> None:
        def data(reader: Viewer) -> Json:
            told = message_shapes.message(message, reader, self.cdn) | where(message.channel)
            if message.nonce is not None and event == "MESSAGE_CREATE":
                told["nonce"] = message.nonce
            member = _member(message.channel, message.author)
            told["channel_type"] = message.channel.type
            return told | ({"member": member} if member else {})

        self.world.hub.say(event, message.channel, data)


def where(place: Channel) -> Json:
    """Return the ids that say where something happened."""
    told = {"channel_id": str(place.id)}
    return told | ({"guild_id": str(place.guild.id)} if place.guild else {})


def _typed(embeds: list[Json]) -> list[Json]:
    return [{"type": "rich"} | one for one in embeds]


def _numbered(components: list[Json]) -> list[Json]:
    """Give components the numbers that they are shown with: each has its own in its message."""
    numbers = count(1)

    def numbered(one: Json) -> Json:
        told = one | {"id": next(numbers)}
        if "components" in one:
            told["components"] = [numbered(inner) for inner in one["components"]]
        return told

    return [numbered(one) for one in components]


def _member(place: Channel, user: User) -> Json | None:
    member = place.guild.members.get(user.id) if place.guild else None
    return shapes.member(member, with_user=False) if member else None


def _reaction(message: Message, user: User, emoji: str) -> Json:
    told = {"user_id": str(user.id), "message_id": str(message.id), "emoji": shapes.emoji(emoji)}
    return told | where(message.channel)


def may_say(world: World, place: Channel, user: User) -> bool:
    """Tell whether somebody may write here."""
    if place.type == DM:
        return world.may_write_dm(place, user)
    return may(user, place, "send_messages_in_threads" if place.is_thread else "send_messages")
