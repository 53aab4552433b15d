"""What goes through the gateway: a question, leave to ask it, and how that ended."""

from __future__ import annotations

import json
from dataclasses import dataclass

from agentapp.llm.adapters.protocol import ChatMessage, ToolRequest, ToolSpec
from agentapp.llm.models import LLMCall
from agentapp.llm.purses import Purse
from agentapp.llm.routes import Route


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by whom, and how long and dear the answer may be."""

    workspace_id: int
    purpose: str
    messages: tuple[ChatMessage, ...]
    key: str
    agent_id: int | None
    turn_id: int | None
    max_tokens: int
    temperature: float
    deadline_seconds: float
    is_background: bool
    tools: tuple[ToolSpec, ...] = ()
    must_talk: bool = False

    def pictures(self) -> int:
        """Return how many pictures go with it, to servers that read them."""
        return sum(len(part.pictures) for part in self.messages)

    def texts(self) -> list[str]:
        """Return everything that a server counts tokens of."""
        parts = [part.content for part in self.messages]
        asked = [each.name + each.arguments for part in self.messages for each in part.requests]
        told = [each.name + each.description + json.dumps(each.parameters) for each in self.tools]
        return [*parts, *asked, *told]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said and what it cost, in micro-dollars.

    Attributes:
        requests: What it asks of tools before it goes on; `text` is then no answer yet.
    """

    text: str
    call_id: int
    model: str
    tokens_in: int
    tokens_out: int
    cost_micros: int
    finish_reason: str
    requests: tuple[ToolRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A question to one model: under which key, for how many tokens, held by which purses.

    Attributes:
        is_new: Nobody has asked with this key before.
    """

    question: Question
    key: str
    route: Route
    max_tokens: int
    held_micros: int
    purses: list[Purse]
    is_new: bool


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to make one request: its row exists and its money is set aside."""

    call_id: int
    offer: Offer

    @property
    def question(self) -> Question:
        """Return what is asked."""
        return self.offer.question

    @property
    def route(self) -> Route:
        """Return the way to the model."""
        return self.offer.route


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. `was_billed` False gives the money back."""

    status: LLMCall.Status
    was_billed: bool
    cost_micros: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    is_estimated: bool = False
    attempts: int = 0
    latency_ms: int = 0
    first_token_ms: int | None = None
    served_model: str = ""
    rate_id: int | None = None
    finish_reason: str = ""
    answer: str = ""
    requests: tuple[ToolRequest, ...] = ()
    error: str = ""
    failure: str = ""
