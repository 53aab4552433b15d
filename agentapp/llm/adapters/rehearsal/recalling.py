"""Finds what somebody said about a thing among the sentences that may be used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agentapp.llm.adapters.rehearsal import wording

NEEDED_SHARE = 0.5  # of the question's subjects that a statement must name
_OF_ONESELF = re.compile(r"\b(?:my|mine|our|i|i'm|we|me)\b", re.IGNORECASE)
_TIMES = re.compile(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\b(?:today|tonight|tomorrow|next|noon|midnight)"
    r"\b|\b\d{1,2}(?::\d\d)?\b|\b(?:january|february|march|april|may|june|july|august|september|"
    r"october|november|december)\b",
    re.IGNORECASE,
)
_PLACES = re.compile(r"\b(?:in|at|to|from|near|behind|under|on) \w", re.IGNORECASE)
_FITS = {"when": _TIMES, "where": _PLACES}
_HINT = 0.25


def is_about_asker(question: str) -> bool:
    """Say whether a question asks for something of the person who asks."""
    return bool(_OF_ONESELF.search(question.replace("\u2019", "'")))


def told(texts: Iterable[str], *, names: Sequence[str]) -> list[str]:
    """Return the statements in somebody's texts, in order, without questions and addresses."""
    found: list[str] = []
    for text in texts:
        for sentence in wording.sentences(text):
            said = wording.without_address(sentence, names)
            if said and not wording.is_question(said):
                found.append(said)
    return found


def best_statement(question: str, statements: Sequence[str]) -> str:
    """Return the statement that answers a question, or an empty string.

    A statement has to name at least half of what the question is about and say something more.
    Among equals the later one wins: people correct themselves.
    """
    wanted = wording.subjects(question)
    if not wanted:
        return ""
    best, best_score = "", 0.0
    for statement in statements:
        score = _score(wanted, statement, question)
        if score and score >= best_score:
            best, best_score = statement, score
    return best


def _score(wanted: frozenset[str], statement: str, question: str) -> float:
    named = wording.subjects(statement)
    share = len(wanted & named) / len(wanted)
    if share < NEEDED_SHARE or not named - wanted:
        return 0.0
    kind = question.split(maxsplit=1)[0].casefold()
    fits = _FITS.get(kind)
    return share + (_HINT if fits and fits.search(statement) else 0.0)
