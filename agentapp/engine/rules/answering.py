"""What of a model's text may be said."""

from __future__ import annotations

import re

from agentapp.foundation.text import is_visible, normalised

COMPLETE = frozenset({"stop", "", "end_turn", "eos", "stop_sequence"})
_SENTENCE_ENDS = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)\]*_`]*(?=\s|$)")
_FENCE = "```"
_QUOTES = (('"', '"'), ("\u201c", "\u201d"))


def sayable(text: str, *, finish_reason: str, name: str) -> str | None:
    """Return an answer as the agent says it, or None when only a half of one came.

    An answer that ran into its length limit is cut after its last full sentence; where no sentence
    was finished, or a code block stands open, nothing of it is said.

    Args:
        text: What the model wrote.
        finish_reason: Why it ended, in the server's words.
        name: The agent's name, which some models write in front.
    """
    said = _bare(normalised(text), name)
    if finish_reason == "length":
        said = _full_sentences(said)
    elif finish_reason not in COMPLETE:
        return None
    return said if is_visible(said) else None


def _bare(text: str, name: str) -> str:
    prefix = re.compile(rf"(?:\*\*)?{re.escape(name)}(?:\*\*)?\s*:(?:\*\*)?\s*", re.IGNORECASE)
    said = prefix.sub("", text, count=1) if prefix.match(text) else text
    for first, last in _QUOTES:
        inner = said[1:-1]
        if said.startswith(first) and said.endswith(last) and len(said) > 1:
            said = inner if first not in inner and last not in inner else said
    return said.strip()


def _full_sentences(text: str) -> str:
    ends = [match.end() for match in _SENTENCE_ENDS.finditer(text)]
    cut = text[: ends[-1]] if ends else ""
    return "" if cut.count(_FENCE) % 2 else cut
