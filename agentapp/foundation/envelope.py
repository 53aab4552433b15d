"""Frozen shapes that cross between `agentapp` and the platform connectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AuthorKind(StrEnum):
    """Who stands behind a handle on a platform."""

    HUMAN = "human"
    BOT = "bot"
    AGENT = "agent"
    SCRIPTED = "scripted"


@dataclass(frozen=True, slots=True)
class Author:
    """The writer of something, as the platform names them."""

    external_id: str
    name: str
    kind: AuthorKind = AuthorKind.HUMAN


@dataclass(frozen=True, slots=True)
class Place:
    """A room as the platform names it.

    Attributes:
        kind: direct, room or thread.
        group: The server that it is part of; "" for none, or where this does not say it.
    """

    external_id: str
    name: str = ""
    kind: str = "room"
    parent: str = ""
    is_public: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file that came with a message: what its sender says of it, and where its bytes are.

    Attributes:
        said_type: The sender's word, never trusted; "" for none. Likewise `said_size`, in bytes.
        source: Where the platform keeps the bytes; "" when they cannot be had from there.
        is_sealed: The bytes are encrypted, and nobody here has the key.
        stored: The id of the file, where its bytes are here already; 0 for none.
    """

    name: str
    said_type: str = ""
    said_size: int = 0
    source: str = ""
    is_sealed: bool = False
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message that a platform shows us.

    Attributes:
        account_id: The login that saw it; "" for the built-in web rooms.
        sent_at: The platform's time; None means "now" by the database clock.
        mentions: External ids of the handles that the message names.
        cursor: Stored with the account in the same transaction; None leaves it alone.
    """

    workspace_id: int
    platform: str
    place: Place
    external_id: str
    author: Author
    text: str
    reply_to: str = ""
    mentions: tuple[str, ...] = ()
    sent_at: datetime | None = None
    account_id: str = ""
    cursor: dict[str, object] | None = None
    files: tuple[IncomingFile, ...] = ()


@dataclass(frozen=True, slots=True)
class IncomingEdit:
    """A message's new text. `changed_at` orders edits; the latest wins."""

    workspace_id: int
    platform: str
    place: Place
    external_id: str
    text: str
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IncomingDelete:
    """A message was removed by its author or by a moderator."""

    workspace_id: int
    platform: str
    place: Place
    external_id: str
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IncomingReaction:
    """A reaction was put on a message, or taken away (`present` False)."""

    workspace_id: int
    platform: str
    place: Place
    message_external_id: str
    author: Author
    emoji: str
    present: bool = True
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One piece for a connector to put on its platform.

    Attributes:
        deadline: `time.monotonic()` of the claiming process after which no byte may leave.
        dedupe_key: 22 characters; sending twice with the same key shows once.
        reply_to: The platform's id of the message answered or reacted to; "" for none.
        extra: For `retract` and `edit`: `external_id` of what is to be taken back or changed. For
            a message: `is_notice` when it is a fixed text of the host, `follows` with the answered
            message's id when an earlier piece answers it already. For a file: `name`,
            `content_type`, `size`, the `stored` file's id, and where it was `uploaded` to.
    """

    outbound_id: int
    workspace_id: int
    account_id: str
    author_external_id: str
    platform: str
    room_external_id: str
    kind: str  # message, file, reaction, edit or retract
    text: str
    reply_to: str
    emoji: str
    dedupe_key: str
    deadline: float
    extra: dict[str, object] = field(default_factory=dict)

    def files(self) -> tuple[IncomingFile, ...]:
        """Return the file that this piece shows, as it stands in the record then."""
        if self.kind != "file":
            return ()
        name, type_ = str(self.extra["name"]), str(self.extra["content_type"])
        size, stored = int(str(self.extra["size"])), int(str(self.extra["stored"]))
        return (IncomingFile(name, said_type=type_, said_size=size, stored=stored),)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the platform answered to a send: its id of the new message or reaction.

    `message_id` is the recorded message's id, where the connector recorded it itself.
    """

    external_id: str
    message_id: int | None = None
