"""What a command is, what somebody asks for with it, and what they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from agentapp.foundation.envelope import Author, Place
from agentapp.identity.models import Identity, Person, Room

ALL = "all"  # every agent of the room, where a command asks for one
Value = str | int | float | bool


class OptionKind(StrEnum):
    """What an option takes."""

    TEXT = "text"  # words, to the end of the message
    HOURS = "hours"  # a float; typed as 3, 90m, 3h or 2d
    COUNT = "count"  # an int
    FLAG = "flag"  # True where it is given; typed as its name
    AGENT = "agent"  # an agent's id, or ALL where `takes_all`


@dataclass(frozen=True, slots=True)
class Option:
    """Something that may be said with a command.

    Attributes:
        name: As it is typed and shown: lower case, at most 32 characters.
        description: One line of at most 100 characters.
        least, most: Limits of a number; of a text, characters.
        takes_all: An agent may also be `ALL`.
    """

    name: str
    description: str
    kind: OptionKind
    is_required: bool = False
    least: float = 1
    most: float = 1
    takes_all: bool = False


class Who(StrEnum):
    """Who may use a command; its platform says who looks after a room."""

    MEMBER = "member"
    MODERATOR = "moderator"


class Where(StrEnum):
    """Where a command is offered."""

    ROOM = "room"
    DIRECT = "direct"
    MENU = "menu"  # of a message


@dataclass(frozen=True, slots=True)
class Phrase:
    """A whole message that means a command when an agent is addressed with it.

    Attributes:
        language: ISO 639-1.
    """

    language: str
    words: str
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a command, as a platform shows it.

    Attributes:
        external_id: The platform's name of this use (its message or interaction): it is carried
            out once, however often and by however many logins it is handed over.
        options: By name; what is missing was not given.
        agent_id: The agent whose login was asked, where the platform asks one; it answers.
        target: The platform's name of the message that it is about (replied to, or its menu).
        called: The name that a typed message opens with.
        mentions: The platform's names of whom the message mentions.
        is_moderator: The author looks after the room, by the platform.
        at: When it was asked, by the platform's clock.
        shows_answer: The platform shows the words itself, to the author alone. Otherwise, and
            where the room should hear them too, they go out as a draft of the agent that answers.
        message_external_id: The message that shows the question in the room, if it is another one
            than `external_id`.
    """

    workspace_id: int
    platform: str
    place: Place
    author: Author
    command: str
    external_id: str
    options: Mapping[str, Value] = field(default_factory=dict)
    agent_id: int | None = None
    target: str = ""
    called: str = ""
    mentions: tuple[str, ...] = ()
    is_moderator: bool = False
    at: datetime | None = None
    shows_answer: bool = False
    message_external_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody is told.

    Attributes:
        words: Plain text with Markdown's backticks; "" where nothing is to be said.
        is_private: For the author's eyes only.
        agent_id: The agent that answers; None when none is there to do so.
        is_done: It was carried out, by this call or by the same one before.
        is_repeated: It was carried out before; the words are the same as then.
    """

    words: str
    is_private: bool = True
    agent_id: int | None = None
    is_done: bool = True
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command is carried out with, inside one transaction.

    Attributes:
        agents: Agents that may talk in the room, the one that answers first.
        is_alone: Only the author will read the words.
    """

    call: Call
    handle: Identity
    person: Person
    room: Room | None
    agents: tuple[int, ...]
    is_alone: bool

    @property
    def is_direct(self) -> bool:
        """Return whether nobody but the author and agents is in the room."""
        if self.room is None:
            return self.call.place.kind == Room.Kind.DIRECT
        return self.room.kind == Room.Kind.DIRECT


@dataclass(frozen=True, slots=True)
class Said:
    """What a command's function has to say.

    Attributes:
        in_room: Said in the room instead, where private words have nowhere to go; "" hands them
            over by a link that opens once.
        is_public: The room hears it, however it was asked.
        is_told: The room has heard it already; nothing more is said there.
        is_done: Something was carried out.
        agent_id: The agent that answers, if not the first in turn.
    """

    words: str
    in_room: str = ""
    is_public: bool = False
    is_told: bool = False
    is_done: bool = True
    agent_id: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One command; the file in `each` that makes it is all there is to adding one.

    Attributes:
        name: Lower case, at most 32 characters, as it is typed and shown.
        description: One line of at most 100 characters.
        carry_out: Does it in the caller's transaction, asking no model; returns plain words.
        aliases: Other names that work where people type.
        label: Of its entry in a message's menu, where it is offered there.
        is_private: Its answer is for the author only.
    """

    name: str
    description: str
    carry_out: Callable[[Asked], Said]
    options: tuple[Option, ...] = ()
    aliases: tuple[str, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    who: Who = Who.MEMBER
    offered: frozenset[Where] = frozenset({Where.ROOM, Where.DIRECT})
    label: str = ""
    is_private: bool = True


@dataclass(frozen=True, slots=True)
class Parsed:
    """A command that somebody typed.

    Attributes:
        called: The name that the message opens with; "" for none.
    """

    command: Command
    options: Mapping[str, Value] = field(default_factory=dict)
    called: str = ""

    @property
    def is_for_all(self) -> bool:
        """Return whether it names every agent of the room."""
        return ALL in self.options.values()
