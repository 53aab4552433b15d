"""What has arrived of an answer so far, and what it will have cost."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from agentapp.foundation.text import normalised
from agentapp.llm.adapters.protocol import (
    MAX_TOOL_REQUESTS,
    Chunk,
    Failure,
    FailureKind,
    ToolPiece,
    ToolRequest,
    Usage,
)
from agentapp.llm.rules import money
from agentapp.llm.rules.money import Price
from agentapp.llm.rules.retrying import MAX_ATTEMPTS

FINISHED_BY_FILTER = "content_filter"
MAX_FINISH_REASON = 20
_HIGH_SURROGATES = range(0xD800, 0xDC00)


@dataclass(frozen=True, slots=True)
class Bill:
    """Tokens and cost of a call. `is_estimated` when a server did not count all of it."""

    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cost_micros: int
    is_estimated: bool


@dataclass
class Progress:
    """One call's state in memory, over all its tries."""

    prompt_tokens: int  # our guess, for servers that do not count
    max_bytes: int
    most_attempts: int = MAX_ATTEMPTS
    first_word_seconds: float | None = None  # None: the call's whole deadline
    started: float = field(default_factory=time.monotonic)
    attempts: int = 0
    wasted_tries: int = 0
    model: str = ""
    finish_reason: str = ""
    usage: Usage | None = None
    first_token_ms: int | None = None
    _parts: list[str] = field(default_factory=list)
    _size: int = 0
    _held_back: str = ""
    _asked: dict[int, ToolPiece] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Everything received, as it came."""
        return "".join(self._parts)

    @property
    def _received(self) -> str:
        return self.text + "".join(each.name + each.arguments for each in self._asked.values())

    @property
    def has_text(self) -> bool:
        """Whether the answer has begun; from then on nothing is tried again."""
        return bool(self._parts)

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the call began."""
        return int((time.monotonic() - self.started) * 1000)

    def waste(self) -> None:
        """Count a failed try that its server may bill."""
        self.wasted_tries += 1
        self.usage = None

    def take(self, chunk: Chunk) -> str:
        """Keep one step of the answer; return its text in a form that can be shown.

        Raises:
            Failure: The answer is longer than asked for by far.
        """
        self.model = chunk.model or self.model
        self.finish_reason = chunk.finish_reason[:MAX_FINISH_REASON] or self.finish_reason
        self.usage = chunk.usage or self.usage
        if not (chunk.text or chunk.tools):
            return ""
        if self.first_token_ms is None:
            self.first_token_ms = self.elapsed_ms
        for piece in chunk.tools:
            self._take_piece(piece)
        self._parts.append(chunk.text)
        received = chunk.text + "".join(piece.arguments for piece in chunk.tools)
        self._size += len(received.encode("utf-8", "surrogatepass"))
        if self._size > self.max_bytes:
            raise Failure(
                "The model would not stop talking, so its answer was cut off and not used.",
                kind=FailureKind.TOO_LONG,
                may_be_billed=True,
            )
        return self._showable(chunk.text) if chunk.text else ""

    def _take_piece(self, piece: ToolPiece) -> None:
        begun = self._asked.get(piece.place)
        if begun is None or (piece.id and begun.id and piece.id != begun.id):
            # A new request, also from servers that give all of them the same place.
            place = piece.place if begun is None else max(self._asked) + 1
            self._asked[place] = replace(piece, place=place)
            return
        self._asked[piece.place] = ToolPiece(
            piece.place,
            begun.id or piece.id,
            begun.name or piece.name,
            begun.arguments + piece.arguments,
        )

    def requests(self) -> tuple[ToolRequest, ...]:
        """Return what the model asks of tools, in its order; nameless requests are left out."""
        found = [self._asked[place] for place in sorted(self._asked)][:MAX_TOOL_REQUESTS]
        return tuple(
            ToolRequest(each.id or f"call_{each.place}", each.name, normalised(each.arguments))
            for each in found
            if each.name
        )

    def _showable(self, text: str) -> str:
        """Return text without NUL and lone surrogates; half a character waits for its other."""
        text, self._held_back = self._held_back + text, ""
        if ord(text[-1]) in _HIGH_SURROGATES:
            text, self._held_back = text[:-1], text[-1]
        clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return clean.replace("\0", "")

    def finished_text(self) -> str:
        """Return the whole answer, clean.

        Raises:
            Failure: It is empty, was cut off, or its server held it back.
        """
        if self.finish_reason == FINISHED_BY_FILTER:
            raise Failure(
                "The model server's own filter stopped the answer.",
                kind=FailureKind.FILTERED,
                may_be_billed=True,
            )
        if not self.finish_reason and self.usage is None:
            raise Failure(
                "The model server broke off in the middle of its answer.",
                kind=FailureKind.CUT,
                may_be_billed=True,
            )
        text = normalised(self.text, limit=self.max_bytes)
        if not text and not self.requests():
            raise Failure(self._empty_text(), kind=FailureKind.EMPTY, may_be_billed=True)
        return text

    def _empty_text(self) -> str:
        if self.finish_reason == "length":
            return (
                "The model used up its whole answer on thinking. "
                "Choose one that answers directly, or allow longer answers."
            )
        return "The model answered with nothing."

    def bill(self, price: Price, *, counts_last: bool) -> Bill:
        """Return what all tries cost.

        Args:
            price: The rate of the model that was asked.
            counts_last: The last try reached its server and may be billed.
        """
        usage = self.usage if counts_last else None
        tokens_in = usage.tokens_in if usage else self.prompt_tokens * counts_last
        tokens_out = (
            usage.tokens_out if usage else money.likely_tokens(self._received) * counts_last
        )
        cached = usage.tokens_cached if usage else 0
        tokens_in += self.prompt_tokens * self.wasted_tries
        return Bill(
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            tokens_cached=cached,
            cost_micros=money.cost_micros(
                price, tokens_in=tokens_in, tokens_out=tokens_out, tokens_cached=cached
            ),
            is_estimated=self.wasted_tries > 0 or (counts_last and usage is None),
        )
