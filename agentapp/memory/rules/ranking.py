"""What comes to mind first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

SIMILARITY_SHARE = 0.5
DECAY_SHARE = 0.3
SOURCE_SHARE = 0.2

# How much of what was known is still fresh after a day; facts about people keep longest.
_SUMMARY = "summary"
DECAY_PER_DAY = {"episode": 0.98, "summary": 0.98, "lesson": 0.99, "fact": 0.995}
# Whose words they are: a person's own, then what a model made of them.
SOURCE_WEIGHT = {"episode": 1.0, "fact": 1.0, "summary": 0.9, "lesson": 0.8}
ORDINARY_IMPORTANCE = 0.5
USES_TO_LAST_DOUBLE = 15

WORDS_SHARE = 0.4
"""Sharing every word asked for closes this much of the gap that meaning alone leaves."""

FITS_FROM = 0.3
"""From this nearness on a memory fits what is said, and handing it out counts as a use."""

MAX_ASKED_WORDS = 16
MAX_WORD = 40  # characters
WHOLE_WORD = 4  # characters up to which a word is looked for as it is
STEM_SHARE = 0.75  # of a longer word: its ending differs by case, number and tense
_WORD: Final = re.compile(r"[^\W_]{3,}")
_EVERYDAY_WORDS: Final = """
    the and for are was were you your yours she her his him its our ours they them their that this
    these those with have has had not but what when where which who whom why how can could would
    should will shall may might must did does done been being from into about over than then there
    here just also some any all more most very much many out get got let one two say said tell
    know like want please thanks hello
    der die das den dem des ein eine einen einem einer eines und oder aber ist sind war waren bin
    bist hat habe haben hatte ich mir mich mein meine dir dich dein deine sie ihr ihm ihn uns euch
    wir nicht kein keine auch noch nur schon sehr mit von vom zum zur bei aus auf für über unter
    nach vor was wer wie wann warum welche welcher dass wenn dann hier bitte danke kannst
    les une des est sont que qui pour dans avec sur pas mes mon tes ton ses son vous nous
    los las una uno unos del por para con que como pero más muy mis sus hay son
"""
_EVERYDAY: Final = frozenset(_EVERYDAY_WORDS.split())


@dataclass(frozen=True, slots=True)
class Recalled:
    """One memory as the engine gets it; `score` in [0, 1] orders.

    `similarity` is the cosine with what is said, or None while there is no vector to compare.
    """

    id: int
    text: str
    kind: str
    audience: str
    person_id: int | None
    source_message_id: int | None
    created_at: datetime
    similarity: float | None
    nearness: float
    score: float

    def told(self) -> dict[str, str]:
        """Return it as a model reads it: what somebody said on a day, or what a talk was about."""
        day = self.created_at.date().isoformat()
        if self.kind == _SUMMARY:
            return {"kind": "summary of a talk", "talk_on": day, "text": self.text}
        return {"said": day, "text": self.text}


def asked_words(text: str) -> list[str]:
    """Return what to look for in the words of memories: letters and digits only.

    The last words said come first; everyday words of some languages are left out. Of longer words
    only the beginning counts (`exam*`), which does for many languages what a stemmer does for one.
    """
    found: dict[str, None] = {}
    for word in reversed(_WORD.findall(text.lower())):
        if word not in _EVERYDAY:
            found.setdefault(_beginning(word[:MAX_WORD]))
        if len(found) == MAX_ASKED_WORDS:
            break
    return list(found)


def nearness(*, similarity: float | None, word_share: float) -> float:
    """Combine meaning and words into one number in [0, 1].

    Args:
        similarity: Cosine in [-1, 1]; below 0 counts as 0, and so does None.
        word_share: Which part of the words asked for stands in the memory, in [0, 1].
    """
    meaning = min(max(similarity or 0.0, 0.0), 1.0)
    words = min(max(word_share, 0.0), 1.0)
    return meaning + (1.0 - meaning) * WORDS_SHARE * words


def freshness(*, age: timedelta, kind: str, importance: float, uses: int) -> float:
    """Return how much of a memory time has left, in (0, 1].

    What matters more, and what was of use more often, fades more slowly.
    """
    strength = (0.5 + importance) * (1.0 + math.log(1 + uses, 1 + USES_TO_LAST_DOUBLE))
    return math.pow(DECAY_PER_DAY[kind], max(age / timedelta(days=1), 0.0) / strength)


def relevance(
    *,
    nearness: float,
    age: timedelta,
    kind: str,
    importance: float = ORDINARY_IMPORTANCE,
    uses: int = 0,
) -> float:
    """Combine nearness, freshness and source into one number in [0, 1].

    Args:
        nearness: From `nearness`.
        age: Since it was said; a negative one counts as none.
        kind: A kind of memory; it decides the source's weight.
        importance: In [0, 1].
        uses: How often it fitted what was said.
    """
    return (
        SIMILARITY_SHARE * nearness
        + DECAY_SHARE * freshness(age=age, kind=kind, importance=importance, uses=uses)
        + SOURCE_SHARE * SOURCE_WEIGHT[kind]
    )


def best(candidates: Iterable[Recalled], *, limit: int) -> list[Recalled]:
    """Return the highest scores first, newer first among equals, the same words once."""
    ordered = sorted(candidates, key=lambda each: (-each.score, -each.id))
    once: dict[str, Recalled] = {}
    for each in ordered:
        once.setdefault(each.text.casefold(), each)
    return list(once.values())[:limit]


def _beginning(word: str) -> str:
    if len(word) <= WHOLE_WORD:
        return word
    return f"{word[: max(WHOLE_WORD, math.ceil(len(word) * STEM_SHARE))]}*"
