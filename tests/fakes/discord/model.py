"""What there is on the fake Discord: people, applications, guilds, channels, messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TEXT, DM, CATEGORY, PUBLIC_THREAD, PRIVATE_THREAD, FORUM = 0, 1, 4, 11, 12, 15
THREADS = {PUBLIC_THREAD, PRIVATE_THREAD}
SAID, THREAD_CREATED, REPLY, COMMAND_ANSWER, THREAD_STARTER = 0, 18, 19, 20, 21
EPHEMERAL, LOADING, HAS_THREAD = 1 << 6, 1 << 7, 1 << 5
SLASH, COMPONENT, MODAL_SUBMIT = 2, 3, 5


@dataclass(eq=False)
class User:
    """Somebody with an account: a person or a bot."""

    id: int
    name: str
    is_bot: bool = False
    accepts_dms: bool = True


@dataclass(eq=False)
class App:
    """An application with its bot user; its id is the bot's id, as with all newer ones."""

    user: User
    token: str
    owner: User
    enabled: int  # privileged intents that are switched on in the portal
    commands: dict[int | None, list[dict[str, Any]]] = field(default_factory=dict)
    identifies: int = 0
    identifies_left: int = 1000
    interactions_endpoint_url: str | None = None

    @property
    def id(self) -> int:
        return self.user.id


@dataclass(eq=False)
class Member:
    """A user's place in one guild."""

    user: User
    joined_at: float
    nick: str | None = None
    role: int | None = None  # of one's own, for permissions beyond those of everybody
    granted: int = 0  # those permissions


@dataclass(eq=False)
class Guild:
    id: int
    name: str
    owner: User
    members: dict[int, Member] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)


@dataclass(eq=False)
class Channel:
    """A channel, a thread, a forum or a DM."""

    id: int
    type: int
    name: str
    made_at: float
    guild: Guild | None = None
    parent: Channel | None = None
    owner: User | None = None
    recipients: list[User] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)
    denied: dict[int, int] = field(default_factory=dict)
    joined: set[int] = field(default_factory=set)
    archived: bool = False
    archived_at: float | None = None
    locked: bool = False
    last_message_id: int | None = None  # stays when that message is deleted

    @property
    def is_thread(self) -> bool:
        return self.type in THREADS

    @property
    def is_private_thread(self) -> bool:
        return self.type == PRIVATE_THREAD


@dataclass(eq=False)
class File:
    """Bytes that were uploaded."""

    id: int
    channel_id: int
    name: str
    content_type: str
    data: bytes
    description: str = ""


@dataclass(eq=False)
class Message:
    id: int
    channel: Channel
    author: User
    content: str
    at: float
    type: int = SAID
    edited_at: float | None = None
    mentions: list[User] = field(default_factory=list)
    mentions_everyone: bool = False
    files: list[File] = field(default_factory=list)
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    reactions: dict[str, list[User]] = field(default_factory=dict)
    reference: int | None = None
    thread: Channel | None = None
    flags: int = 0
    nonce: str | int | None = None
    interaction: Interaction | None = None


@dataclass(eq=False)
class Interaction:
    """A command that was run or a button that was pressed."""

    id: int
    token: str
    app: App
    user: User
    channel: Channel
    at: float
    type: int
    data: dict[str, Any]
    message: Message | None = None
    kind: int | None = None  # the type of the first answer; None until there is one
    original: Message | None = None
    follow_ups: list[Message] = field(default_factory=list)
    modal: dict[str, Any] | None = None
