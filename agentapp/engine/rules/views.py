"""What a decision looks at, read beforehand and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agentapp.identity.limits import Limit
from agentapp.turns.rules import Reason, Spoken

SPEAKERS = frozenset({"human", "scripted"})  # kinds of identity that count as a human talking


class Action(StrEnum):
    """What an agent does about what was said; the values of `Turn.decision`."""

    RESPOND = "respond"
    REACT = "react"
    NOTICE = "notice"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Line:
    """One message, as far as deciding needs it.

    Attributes:
        author_id: The identity that wrote it.
        author_agent: The agent behind it, if one of ours wrote it.
        person_id: The human behind it, if any.
        mentioned_agents: Ids of agents it mentions.
        mentions_others: It mentions somebody who is none of our agents.
        reply_to_agent: The agent whose message it answers.
        replies_to_other: It answers somebody who is neither its author nor one of our agents.
        minutes_old: Since it was written, by its platform's clock.
        wants_none: Its author asked not to be answered here.
        has_left: Its author is no longer here.
    """

    id: int
    author_id: int
    author_name: str
    author_kind: str
    text: str
    author_agent: int | None = None
    person_id: int | None = None
    mentioned_agents: frozenset[int] = frozenset()
    mentions_others: bool = False
    reply_to_agent: int | None = None
    replies_to_other: bool = False
    minutes_old: float = 0.0
    wants_none: bool = False
    has_left: bool = False

    @property
    def is_human(self) -> bool:
        """Whether a human wrote it; scripted members of the demo count as such."""
        return self.author_kind in SPEAKERS


@dataclass(frozen=True, slots=True)
class Mind:
    """The agent that decides.

    Attributes:
        hold: kill_switch, suspended, muted or "" with `hold_reason` beside it.
        membership: Its state in the room; "" when it is not there.
    """

    id: int
    name: str
    status: str
    membership: str
    capabilities: frozenset[str]
    interests: tuple[str, ...] = ()
    hold: str = ""
    hold_reason: str = ""
    limits: Mapping[str, Limit] = field(default_factory=dict)

    def limit(self, name: str) -> Limit:
        """Return one of the numbers that hold for this agent in this room."""
        return self.limits[name]


@dataclass(frozen=True, slots=True)
class Place:
    """The room. `agents` are its other agents by id, `people` the names of who is there.

    Where it `is_quiet`, somebody who may asked that no agent says anything.
    """

    kind: str
    dial: str
    is_open: bool = True
    is_quiet: bool = False
    agents: Mapping[int, str] = field(default_factory=dict)
    people: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Relevance:
    """How near a message is to an agent's interests. `similarity` is a cosine."""

    similarity: float = 0.0
    keyword: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """Everything one agent's decision looks at.

    Attributes:
        lines: What is undecided, oldest first; neither own nor deleted messages.
        agent_run: How many messages at the room's end were written by agents in a row.
        relevance: By message id; a message that is missing was not compared.
    """

    mind: Mind
    place: Place
    lines: tuple[Line, ...]
    agent_run: int = 0
    spoken: Spoken = field(default_factory=Spoken)
    relevance: Mapping[int, Relevance] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an agent does, on which message, and why.

    Attributes:
        through: Message id up to which this decides; 0 means everything that was looked at.
        covers: Ids of the messages that the answer owes an answer to.
        claims: Ids of messages to nobody that only one agent may take; the trigger among them.
        wants_relevance: It hangs on how near the trigger is to the agent's interests.
    """

    action: Action
    code: str
    trigger: Line
    reasons: tuple[Reason, ...]
    addressed: bool = False
    through: int = 0
    covers: tuple[int, ...] = ()
    claims: tuple[int, ...] = ()
    emoji: str = ""
    wants_relevance: bool = False
