"""How tests speak of what is on the fake: places, what they show, and what was asked there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.fakes.discord import model
from tests.fakes.discord.commands import Commands
from tests.fakes.discord.model import EPHEMERAL, LOADING
from tests.fakes.discord.speech import Speech
from tests.fakes.discord.world import World


@dataclass(frozen=True)
class Stage:
    """What every face works through: the world, and the way into its thread."""

    world: World
    speech: Speech
    commands: Commands
    do: Callable[..., Any]
    until: Callable[..., Any]


@dataclass(frozen=True)
class Shown:
    """One message as it stands in a place."""

    author: str
    text: str


class Somebody(Protocol):
    """A person or a bot."""

    @property
    def user(self) -> model.User: ...


@dataclass(frozen=True)
class Message:
    """A message; its properties are read when they are asked for."""

    stage: Stage
    it: model.Message

    @property
    def id(self) -> int:
        return self.it.id

    @property
    def author(self) -> str:
        return self.it.author.name

    @property
    def text(self) -> str:
        return self.it.content

    @property
    def answers(self) -> int | None:
        """Return the id of the message that this one is a reply to."""
        return self.it.reference

    @property
    def mentions(self) -> set[str]:
        """Return whom it really mentions."""
        names = {one.name for one in self.it.mentions}
        return names | ({"@everyone"} if self.it.mentions_everyone else set())

    @property
    def reactions(self) -> dict[str, set[str]]:
        return {emoji: {one.name for one in who} for emoji, who in self.it.reactions.items()}

    @property
    def files(self) -> dict[str, bytes]:
        return {file.name: file.data for file in self.it.files}

    @property
    def buttons(self) -> list[str]:
        """Return the custom ids of its buttons."""
        rows = self.it.components
        return [one["custom_id"] for row in rows for one in row.get("components", [])]

    @property
    def is_gone(self) -> bool:
        return self.it.id not in self.it.channel.messages


@dataclass(frozen=True)
class Place:
    """A channel, a thread or a DM."""

    stage: Stage
    it: model.Channel

    @property
    def id(self) -> int:
        return self.it.id

    def messages(self) -> list[Message]:
        """Return what stands here now, in order."""
        found = self.stage.do(lambda: list(self.it.messages.values()))
        return [Message(self.stage, one) for one in found]

    def shows(self) -> list[Shown]:
        """Return what people read here now, in order."""
        return [Shown(one.author, one.text) for one in self.messages()]

    def said(self, text: str) -> Message:
        """Wait until a message with this text stands here, and return it."""

        def find() -> Message | None:
            return next((one for one in self.messages() if one.text == text), None)

        found: Message = self.stage.until(find)
        return found

    def denies(self, who: Somebody, *names: str) -> None:
        """Take permissions here from one member; none gives them back. See permissions.BITS."""
        self.stage.do(self.stage.world.deny, self.it, who.user, names)

    def archives(self) -> None:
        self.stage.do(self.stage.world.archive, self.it)

    def locks(self) -> None:
        self.it.locked = True
        self.stage.do(self.stage.world.archive, self.it)

    def vanishes(self) -> None:
        """Be deleted."""
        self.stage.do(self.stage.world.drop_channel, self.it)


@dataclass(frozen=True)
class Asked:
    """A command that was used, or a button that was pressed."""

    stage: Stage
    it: model.Interaction

    @property
    def is_answered(self) -> bool:
        return self.it.kind is not None

    @property
    def waits(self) -> bool:
        """Tell whether the bot has promised an answer and not given it yet."""
        return self.it.original is not None and bool(self.it.original.flags & LOADING)

    @property
    def is_private(self) -> bool:
        return self.it.original is not None and bool(self.it.original.flags & EPHEMERAL)

    @property
    def form(self) -> dict[str, Any] | None:
        """Return the form that it was answered with."""
        return self.it.modal

    def answer(self) -> str:
        """Wait for the answer and return its text."""
        self.stage.until(lambda: self.is_answered and self.it.original and not self.waits)
        assert self.it.original is not None
        return self.it.original.content

    def follow_ups(self) -> list[str]:
        return [one.content for one in self.it.follow_ups]
