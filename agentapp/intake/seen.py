"""What one login saw at once, in the shapes in which connectors hand it in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from agentapp.foundation.envelope import (
    Author,
    Incoming,
    IncomingDelete,
    IncomingEdit,
    IncomingReaction,
    Place,
)
from agentapp.keyring.changes import KeyChanges


@dataclass(frozen=True, slots=True)
class Remark:
    """A program's notice: part of what was said, and never answered."""

    incoming: Incoming


@dataclass(frozen=True, slots=True)
class EditBy:
    """A new text for a message, and who says so; it counts only from the message's author."""

    edit: IncomingEdit
    by: str


Item: TypeAlias = Incoming | Remark | EditBy | IncomingDelete | IncomingReaction


@dataclass(frozen=True, slots=True)
class RoomNews:
    """What is new in one room that the login is in.

    Attributes:
        since: When the platform says the login entered.
        is_gone: The room was closed or replaced.
        gap: Where in its history events are missing for good; "" for nowhere.
        read_to: The platform's id up to which all that was said here is on record with these
            items; "" when that does not change.
    """

    place: Place
    items: tuple[Item, ...] = ()
    since: datetime | None = None
    is_encrypted: bool = False
    is_gone: bool = False
    gap: str = ""
    read_to: str = ""


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that nobody has decided on. `at`: when it was made, where that is told."""

    place: Place
    by: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """The login is no longer in a room."""

    place: Place
    is_removed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody came into a server, or left it.

    Attributes:
        at: When they came, as the platform says; None where it does not.
    """

    group: str
    group_name: str
    who: Author
    is_in: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one login saw at once, and the cursor behind it.

    Attributes:
        moves: Of people, in their order.
        reads_encrypted: The login's owner has turned encryption on.
        keys: How its keys changed by what it saw; None without encryption.
    """

    account_id: uuid.UUID
    fence: int
    workspace_id: int
    agent_id: int
    platform: str
    cursor: dict[str, object]
    rooms: tuple[RoomNews, ...] = ()
    invited: tuple[Invited, ...] = ()
    left: tuple[Left, ...] = ()
    moves: tuple[Move, ...] = ()
    reads_encrypted: bool = False
    keys: KeyChanges | None = None

    def places(self) -> list[Place]:
        """Return every room that is spoken of."""
        found = [one.place for one in self.rooms] + [one.place for one in self.invited]
        return found + [one.place for one in self.left]
