"""What a call may cost, what it did cost, and how much of a day's budget is left for whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

TOKENS_PER_PRICE = 1_000_000
TOKENS_PER_MESSAGE = 16  # roles and separators, generously
LIKELY_TOKENS_PER_MESSAGE = 4
BACKGROUND_SHARE = 0.30  # of a day's budget, for what nobody waits for
BACKGROUND_STOPS_AT = 0.80  # of that share; the rest covers what is already under way
LOW_AT = 0.95  # from here on only the cheap model, and only for who asked
MAX_ANSWER_BYTES = 64 * 1024
BYTES_PER_TOKEN_AT_MOST = 32  # a server that ignores the limit is cut off soon after it
SPARE_ANSWER_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-dollars per million tokens. `is_known` is False for the cautious default."""

    input_micros: int
    output_micros: int
    cached_micros: int
    rate_id: int | None = None
    is_known: bool = True

    @property
    def is_free(self) -> bool:
        """Return whether no call can cost anything."""
        return not (self.input_micros or self.output_micros or self.cached_micros)

    def is_passed_by(self, other: Price) -> bool:
        """Return whether some call costs more by the other price than by this one."""
        return (
            other.input_micros > self.input_micros
            or other.output_micros > self.output_micros
            or other.cached_micros > self.cached_micros
        )


FREE = Price(0, 0, 0)


class Level(StrEnum):
    """How a day's budget stands."""

    OK = "ok"
    LOW = "low"
    EXHAUSTED = "exhausted"


def cost_micros(price: Price, *, tokens_in: int, tokens_out: int, tokens_cached: int = 0) -> int:
    """Return the price of a call, rounded up to a whole micro-dollar.

    Args:
        price: The rate that holds on the day of the call.
        tokens_in: Prompt tokens, the cached ones included.
        tokens_out: Tokens of the answer.
        tokens_cached: The part of `tokens_in` that the server had seen before.
    """
    cached = min(tokens_cached, tokens_in)
    total = (
        (tokens_in - cached) * price.input_micros
        + cached * price.cached_micros
        + tokens_out * price.output_micros
    )
    return -(-total // TOKENS_PER_PRICE)


def most_tokens(texts: Iterable[str]) -> int:
    """Return more tokens than any common tokeniser makes of a prompt.

    Two bytes a token for ASCII, one for everything else: about twice what English needs.
    """
    total = 0
    for text in texts:
        size, plain = _sizes(text)
        total += -(-plain // 2) + (size - plain) + TOKENS_PER_MESSAGE
    return total


def likely_tokens(text: str) -> int:
    """Return a fair guess, rather high than low, for a server that does not count."""
    size, plain = _sizes(text)
    return -(-plain // 3) + -(-(size - plain) // 2)


def likely_prompt_tokens(texts: Iterable[str]) -> int:
    """Return a fair guess of a whole prompt's tokens."""
    return sum(likely_tokens(text) + LIKELY_TOKENS_PER_MESSAGE for text in texts)


def _sizes(text: str) -> tuple[int, int]:
    """Return the text's bytes, and how many of them are ASCII characters."""
    raw = text.encode("utf-8", "surrogatepass")
    return len(raw), sum(1 for byte in raw if byte < 0x80) if len(raw) != len(text) else len(raw)


def most_answer_bytes(max_tokens: int) -> int:
    """Return after how many bytes an answer is cut off as too long."""
    return min(MAX_ANSWER_BYTES, max_tokens * BYTES_PER_TOKEN_AT_MOST + SPARE_ANSWER_BYTES)


def background_limits(day_micros: int) -> tuple[int, int]:
    """Return at what sum no background call starts any more, and what it may never exceed."""
    share = int(day_micros * BACKGROUND_SHARE)
    return int(share * BACKGROUND_STOPS_AT), share


def level(*, day_micros: int, spent_micros: int, reserved_micros: int, is_marked: bool) -> Level:
    """Say how a day's budget stands.

    Args:
        day_micros: The ceiling.
        spent_micros: What is settled.
        reserved_micros: What calls under way hold.
        is_marked: A call was refused today because it no longer fitted.
    """
    if is_marked or spent_micros >= day_micros:
        return Level.EXHAUSTED
    if spent_micros + reserved_micros >= day_micros * LOW_AT:
        return Level.LOW
    return Level.OK


def worst(levels: Iterable[Level]) -> Level:
    """Return the strictest of several budgets' levels."""
    order = [Level.OK, Level.LOW, Level.EXHAUSTED]
    return max(levels, key=order.index, default=Level.OK)


def price_patterns(model: str) -> list[str]:
    """Return the names under which a model's price may be listed, the most exact first.

    A vendor before the last slash is dropped: `openai/gpt-4o` is priced as `gpt-4o`.
    """
    name = bare_name(model)
    return [name, *(name[:length] + "*" for length in range(len(name), -1, -1))]


def bare_name(model: str) -> str:
    """Return a model's name without the vendor before it, in small letters."""
    return model.rpartition("/")[2].lower() or model.lower()
