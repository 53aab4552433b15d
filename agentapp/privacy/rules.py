"""What people may ask about themselves in a room, and the words that answer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_TOLD = 20  # memories that one answer names
MOST_WORDS = 200  # characters of each


class Wish(StrEnum):
    """What somebody asks for themselves, as it is written."""

    FORGET = "forget"
    DATA = "mydata"
    NEVER = "neverremember"
    AGAIN = "rememberme"


@dataclass(frozen=True, slots=True)
class Held:
    """What one agent holds of a person; texts are the newest first, `count` counts all."""

    agent: str
    count: int
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Gone:
    """What one agent forgot."""

    agent: str
    memories: int
    facts: int
    summaries: int


def counted(gone: Gone) -> str:
    """Say how much one agent forgot; what there was none of is not mentioned."""
    parts = [_many(gone.memories, "memory", "memories")]
    parts += [_many(gone.facts, "fact", "facts")] if gone.facts else []
    parts += [_many(gone.summaries, "summary", "summaries")] if gone.summaries else []
    return parts[0] if len(parts) == 1 else f"{parts[0]}, of these {' and '.join(parts[1:])}"


def receipt_words(gone: Sequence[Gone], *, strangers: int, remains: Sequence[str]) -> str:
    """Say what went, per agent that had anything, and what remains."""
    lines = [f"- {each.agent}: {counted(each)}" for each in gone]
    if not lines:
        lines = ["Nothing was remembered of you."]
    if strangers:
        lines.append(f"{_many(strangers, 'agent meets', 'agents meet')} you as a stranger again.")
    what = "I have forgotten you, as you asked. It cannot be taken back.\n\nWhat went:"
    return "\n".join([what, *lines, "", _remains(remains)])


def data_words(held: Sequence[Held], *, is_never: bool, remains: Sequence[str]) -> str:
    """Say what is remembered of somebody, in their own direct room."""
    lines: list[str] = []
    left = MOST_TOLD
    for each in held:
        lines.append(f"{each.agent} remembers {_many(each.count, 'thing', 'things')} of you:")
        told = list(each.texts)[:left]
        lines += [f"- {text[:MOST_WORDS]}" for text in told]
        if each.count > len(told):
            lines.append(f"- and {each.count - len(told)} more")
        left -= len(told)
    if not held:
        lines.append("Nothing is remembered of you.")
    if is_never:
        lines.append("Nothing new is remembered, because you asked for that.")
    ask = "`!forget` lets us start again, `!neverremember` keeps you out of memory from now on."
    return "\n".join([*lines, "", _remains(remains), ask])


def never_words(*, on: bool, changed: bool) -> str:
    """Say that somebody is kept out of memory from now on, or is remembered again."""
    if on:
        again = "" if changed else " already"
        return (
            f"Nothing you say is{again} remembered from now on, by any of us. What was remembered "
            "before is kept unheard; `!forget` deletes it. `!rememberme` takes this back."
        )
    if not changed:
        return "You are remembered as before."
    return "You are remembered again. `!neverremember` takes this back."


def public_words(wish: Wish) -> str:
    """Say in a shared room what nobody else may read about, and where to read it."""
    done = {
        Wish.FORGET: "I have forgotten you, as you asked. ",
        Wish.DATA: "I tell nobody else what I know of you. ",
    }
    return done.get(wish, "") + "Open a direct chat with me and write `!mydata` to see what I keep."


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _remains(remains: Sequence[str]) -> str:
    return "What remains: " + "; ".join(remains) + "."
