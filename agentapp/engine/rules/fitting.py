"""What fits into a prompt."""

from __future__ import annotations

from collections.abc import Sequence

from agentapp.foundation.text import TRUNCATED

BYTES_PER_TOKEN = 3.2  # cautious for English, about right for most other scripts
TALK_SHARE = 0.65  # of what is left beside the fixed parts; memories may take the rest
MAX_TALK_LINE = 2_000  # characters of one earlier message
MAX_ANSWER_LINE = 8_000  # characters of a message that is answered


def tokens(text: str) -> int:
    """Guess, rather too high, how many tokens a text is."""
    return int(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN) + 1


def clipped(text: str, *, limit: int) -> str:
    """Return a text of at most `limit` characters, marked where it was cut."""
    return text if len(text) <= limit else text[: limit - len(TRUNCATED)] + TRUNCATED


def first_that_fit(texts: Sequence[str], *, budget: int) -> int:
    """Return how many texts from the start fit into a number of tokens."""
    left = budget
    for count, text in enumerate(texts):
        left -= tokens(text)
        if left < 0:
            return count
    return len(texts)
