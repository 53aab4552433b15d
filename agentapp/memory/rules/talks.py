"""What a talk may leave behind: nothing of a model's notes counts that the words do not prove."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentapp.foundation.text import normalised, one_line
from agentapp.memory import phrases

MAX_FACTS = 8  # of one talk
MAX_SUMMARY = 600  # characters
MAX_QUOTE = 300  # characters
MAX_SUBJECT = 60  # characters
MIN_LINES = 2  # of the person; a single message is remembered as it is
MIN_CHARACTERS = 60  # of the person, in all

# What a fact may be about. A closed list: a model's own words would go into every later prompt.
PREDICATES: Final = (
    "name", "home", "origin", "work", "study", "family", "pet", "birthday", "language", "likes",
    "dislikes", "skill", "owns", "health", "plan", "event", "other",
)  # fmt: skip
SINGLE_VALUED: Final = frozenset({"name", "home", "birthday"})
"""Of these only the newest holds."""

LEAST_CONFIDENCE = 0.5
_WORD: Final = re.compile(r"[^\W_]+")
_SENTENCES: Final = re.compile(r"(?<=[.!?…])\s+")


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a talk: the person's own, or the agent's answer to that person."""

    message_id: int
    is_persons: bool
    text: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact as its author told it. `subject` is "" for the author."""

    message_id: int
    quote: str
    subject: str
    predicate: str
    object: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Gist:
    """What is left of a talk; both may be empty."""

    summary: str = ""
    facts: tuple[Noted, ...] = ()


class Unreadable(ValueError):
    """A model's notes are not in the agreed form."""


def is_worth_noting(lines: Sequence[Line]) -> bool:
    """Say whether a person said enough for a model to be asked about it."""
    own = [line.text for line in lines if line.is_persons]
    return len(own) >= MIN_LINES and sum(map(len, own)) >= MIN_CHARACTERS


def read_notes(text: str, *, lines: Sequence[Line], strangers: Collection[str]) -> Gist:
    """Take what holds from a model's notes on a talk; whatever else they claim is dropped.

    A fact holds if its quote stands, word for word, in a message of the person, speaks of that
    person, and holds subject and object. Of the summary a sentence stays unless it names somebody
    else who was in the room, gives orders, grants rights, tells ranks or holds credentials.

    Args:
        text: What the model answered.
        lines: What it was shown.
        strangers: What others in the room are called.

    Raises:
        Unreadable: It is no JSON object of the agreed form.
    """
    notes = _object(text)
    own = {line.message_id: line.text for line in lines if line.is_persons}
    claimed = notes.get("facts")
    summary = notes.get("summary")
    facts: dict[tuple[int, str], Noted] = {}
    for each in claimed if isinstance(claimed, list) else []:
        fact = _fact(each, own=own, strangers=strangers) if isinstance(each, dict) else None
        if fact is not None:
            facts.setdefault((fact.message_id, fact.quote.casefold()), fact)
    return Gist(
        summary=_sound(summary, strangers=strangers) if isinstance(summary, str) else "",
        facts=tuple(facts.values())[:MAX_FACTS],
    )


def last_word(lines: Sequence[Line]) -> Line | None:
    """Return the last thing a person said that can be told again, or None."""
    for line in reversed(lines):
        text = " ".join(line.text.split())
        if line.is_persons and len(text.split()) >= MIN_LINES and not _is_unwanted(text):
            return Line(line.message_id, is_persons=True, text=text[:MAX_QUOTE])
    return None


def quoted(words: object, text: str) -> str:
    """Return words that stand in a text and tell of its writer, on one line; "" for any others."""
    quote = _words(words)
    fits = (
        0 < len(quote) <= MAX_QUOTE
        and _stands_in(quote, _words(text))
        and bool(phrases.SPEAKS_OF_SELF.search(quote))
        and not _is_unwanted(quote)
    )
    return quote if fits else ""


def _object(text: str) -> Mapping[str, object]:
    start, end = text.find("{"), text.rfind("}")
    try:
        notes = json.loads(text[start : end + 1]) if 0 <= start < end else None
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    if not isinstance(notes, dict):
        raise Unreadable("There is no JSON object.")
    return notes


def _fact(
    claim: Mapping[str, object], *, own: Mapping[int, str], strangers: Collection[str]
) -> Noted | None:
    message_id, confidence = claim.get("message"), claim.get("sure")
    if isinstance(message_id, bool) or not isinstance(message_id, int) or message_id not in own:
        return None
    if isinstance(confidence, bool) or not isinstance(confidence, (int, float)):
        return None
    quote, subject, value = (_words(claim.get(key)) for key in ("quote", "about", "value"))
    predicate = str(claim.get("what"))
    fits = (
        predicate in PREDICATES
        and LEAST_CONFIDENCE <= confidence <= 1
        and 0 < len(quote) <= MAX_QUOTE
        and len(subject) <= MAX_SUBJECT
        and value != ""
        and _stands_in(quote, _words(own[message_id]))
        and _stands_in(value, quote)
        and (not subject or _stands_in(subject, quote))
        and bool(phrases.SPEAKS_OF_SELF.search(quote))
        and not names_any(quote, strangers)
        and not _is_unwanted(quote)
    )
    if not fits:
        return None
    return Noted(message_id, quote, subject, predicate, value, float(confidence))


def names_any(text: str, names: Collection[str]) -> bool:
    """Say whether any of these people is named in a text: by a whole word of theirs."""
    words = {word.casefold() for word in _WORD.findall(text)}
    return any(
        part.casefold() in words for name in names for part in _WORD.findall(name) if len(part) > 1
    )


def _sound(summary: str, *, strangers: Collection[str]) -> str:
    clean = one_line(summary, limit=2 * MAX_SUMMARY)
    kept = [
        sentence
        for sentence in _SENTENCES.split(clean)
        if not (
            names_any(sentence, strangers)
            or phrases.RANKS.search(sentence)
            or _is_unwanted(sentence)
        )
    ]
    text = ""
    for sentence in kept:
        longer = f"{text} {sentence}".strip()
        if len(longer) > MAX_SUMMARY:
            break
        text = longer
    return text


def _words(value: object) -> str:
    """Return a claim's text on one line; "" when it is none."""
    return " ".join(normalised(value).split()) if isinstance(value, str) else ""


def _stands_in(part: str, whole: str) -> bool:
    """Say whether words stand in a text as whole words, in this order, whatever their case."""
    pattern = rf"(?<!\w){re.escape(part.casefold())}(?!\w)"
    return re.search(pattern, whole.casefold()) is not None


def _is_unwanted(text: str) -> bool:
    return bool(phrases.UNWANTED.search(text.replace("\u2019", "'")))
