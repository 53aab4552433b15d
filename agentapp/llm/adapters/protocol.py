"""The shape every model adapter has: a request goes in, pieces of text and one count come out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from agentapp.foundation.errors import AgentError

MAX_TOOL_REQUESTS = 8  # in one answer; what comes on top is not heard
POLL_SECONDS = 0.25  # how often a running answer asks whether it should stop


class Role(StrEnum):
    """Whose words a part of the prompt is."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A model's wish to use a tool. `arguments` is its JSON as it came: untrusted, maybe broken."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that goes with a part of a prompt, to servers that read them."""

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One part of a prompt. Who said it in the room is part of `content`, not of the role.

    Attributes:
        requests: What the model asked of tools beside its words.
        answers: The id of the request that this (of role TOOL) is the result of.
        pictures: What goes with the words where the server reads pictures.
    """

    role: Role
    content: str
    requests: tuple[ToolRequest, ...] = ()
    answers: str = ""
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. The key never appears in a repr."""

    provider_id: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    reads_pictures: bool = False


class StopAsked(AgentError):
    """The answer was called off while it was being written."""

    kind = ""  # no trouble


class DeadlinePassed(AgentError):
    """The answer did not come in time."""

    kind = "deadline"


class Watch:
    """How long a call may still take, and whether somebody asked it to end.

    `should_stop` is asked at most every `POLL_SECONDS`, however often `check` is called.
    """

    def __init__(self, *, deadline: float, should_stop: Callable[[], bool] | None = None) -> None:
        self.deadline = deadline  # time.monotonic() of this process
        self.has_sent = False  # set by an adapter once bytes of a request have left
        self._should_stop = should_stop
        self._next_poll = 0.0
        self._until = deadline

    @classmethod
    def lasting(cls, seconds: float) -> Watch:
        """Return a watch that nobody can stop, for the next `seconds`."""
        return cls(deadline=time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left; zero or less once the time is up."""
        return self._until - time.monotonic()

    def hurry(self, seconds: float) -> None:
        """Let the time be up after `seconds` already, until `take_time`."""
        self._until = min(self.deadline, time.monotonic() + seconds)

    def take_time(self) -> None:
        """Wait until the deadline again."""
        self._until = self.deadline

    def check(self) -> None:
        """Go on, or raise.

        Raises:
            DeadlinePassed: The time is up.
            StopAsked: Somebody called the answer off.
        """
        now = time.monotonic()
        if now >= self._until:
            raise DeadlinePassed
        if self._should_stop is None or now < self._next_poll:
            return
        self._next_poll = now + POLL_SECONDS
        if self._should_stop():
            raise StopAsked

    def sleep(self, seconds: float) -> None:
        """Wait, but wake for the deadline and for a stop; raises as `check` does."""
        until = time.monotonic() + seconds
        self.check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS, max(self.remaining(), 0.001)))
            self.check()


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one model.

    Attributes:
        key: The caller's idempotency key; the same question has the same key.
        tools: What the model may ask for; with `must_talk` it is told of them and may not.
        max_tokens: The most the answer may hold; an adapter passes it on.
        watch: Adapters that wait call `watch.check()` or `watch.sleep()` while they do.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    max_tokens: int
    temperature: float
    watch: Watch
    target: Target
    purpose: str = "reply"
    workspace_id: int = 0
    agent_id: int | None = None
    turn_id: int | None = None
    key: str = ""
    tools: tuple[ToolSpec, ...] = ()
    must_talk: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server says it counted. `tokens_cached` is the part of `tokens_in` it had seen."""

    tokens_in: int
    tokens_out: int
    tokens_cached: int = 0


@dataclass(frozen=True, slots=True)
class ToolPiece:
    """A part of a request for a tool; parts with the same place belong together."""

    place: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One step of an answer. Fields that this step says nothing about stay empty.

    Attributes:
        text: The next characters of the answer.
        finish_reason: At the end: "stop", "length" or what the server says. An answer that ends
            without one (and without `usage`) counts as cut off and is never used.
        model: The model that answers, as the server names it.
        usage: Comes once, at the end; a server that never sends it is estimated.
        tools: Parts of what the model asks of tools.
    """

    text: str = ""
    finish_reason: str = ""
    model: str = ""
    usage: Usage | None = None
    tools: tuple[ToolPiece, ...] = ()


class Adapter(Protocol):
    """One way of talking to models."""

    def stream(self, request: Request) -> Iterator[Chunk]:
        """Ask once and yield the answer as it arrives; no retries.

        Closing the iterator ends the request. Nothing here touches the database.

        Raises:
            Failure: The server refused, broke off or answered something unusable.
            DeadlinePassed: `request.watch` says the time is up.
            StopAsked: `request.watch` says to stop.
        """
        ...


class FailureKind(StrEnum):
    """Why a model server gave no answer."""

    KEY = "key"
    CREDIT = "credit"
    ADDRESS = "address"
    MODEL = "model"
    REQUEST = "request"
    BUSY = "busy"
    SERVER = "server"
    CONNECTION = "connection"
    CUT = "cut"
    MALFORMED = "malformed"
    EMPTY = "empty"
    FILTERED = "filtered"
    TOO_LONG = "too_long"


class Failure(AgentError):
    """The model server gave no usable answer."""

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind,
        retry_after: float | None = None,
        may_be_billed: bool = False,
    ) -> None:
        """Say what happened.

        Args:
            message: For people, without keys or addresses of ours.
            kind: Decides whether trying again makes sense.
            retry_after: Seconds the server asked us to wait.
            may_be_billed: The request reached the server and it may count tokens for it.
        """
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after
        self.may_be_billed = may_be_billed
