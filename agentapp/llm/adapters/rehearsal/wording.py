"""English small enough to rehearse with: sentences, what they are about, and who "I" is."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_SENTENCE = 300  # characters; a longer one is a paste, not something told

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_OPENING = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|oh|well|so|and|but|also|right|morning|evening|good morning|"
    r"good evening|by the way|btw|no|yes|anyway|listen|look|please|actually)\b[\s,:!.-]*)+",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"^(?:what|who|whose|whom|where|when|why|which|how|do|does|did|can|could|would|will|should|"
    r"shall|is|are|was|were|am|have|has|any|remember what|remember when|tell me|remind me)\b",
    re.IGNORECASE,
)
_EMPTY_WORDS = """
    a an the and or but so to of in on at for with from by as is are was were be been am do does
    did have has had will would can could should shall may might must i me my mine myself we us our
    you your yours he she it they them his her its their this that these those there here what who
    whose whom where when why which how again still just really very please tell remind know
    remember said say told about not no yes if than then too also any some think let's
    i'm i've i'll i'd you're you've what's when's where's who's how's it's that's there's"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
# Two words for one thing, where people ask with one and tell with the other.
_SAME = {"call": "name", "named": "name", "live": "home", "start": "begin", "job": "work"}
_SUFFIXES = ("ing", "ies", "ied", "ed", "es", "s")
_SHORTEST_STEM = 3

_TURNED = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself", "we": "you",
    "us": "you", "our": "your", "ours": "yours", "i'm": "you're", "i've": "you've",
    "i'll": "you'll", "i'd": "you'd", "we're": "you're", "we've": "you've", "we'll": "you'll",
    "you": "me", "your": "my", "yours": "mine",
}  # fmt: skip
_AFTER_YOU = {"am": "are", "was": "were"}


def sentences(text: str) -> list[str]:
    """Split a text into sentences; lines end sentences too."""
    parts = (" ".join(part.split()) for part in _SENTENCE_END.split(text))
    return [part for part in parts if part and len(part) <= MAX_SENTENCE]


def without_address(sentence: str, names: Iterable[str]) -> str:
    """Drop openings such as "hey Mira," and a closing ", Mira?" that only say who is meant."""
    listed = "|".join(re.escape(name) for name in names if name)
    text = _OPENING.sub("", sentence.strip())
    if listed:
        text = re.sub(rf"^@?(?:{listed})\b[\s,:!.-]*", "", text, flags=re.IGNORECASE)
        text = re.sub(rf"\s*,\s*@?(?:{listed})(?=\s*[.!?]*$)", "", text, flags=re.IGNORECASE)
    return _OPENING.sub("", text).strip()


def is_question(sentence: str) -> bool:
    """Say whether a sentence asks for something; the address must be off already."""
    return sentence.rstrip().endswith("?") or bool(_ASKING.match(sentence))


def subjects(sentence: str) -> frozenset[str]:
    """Return the stems of the words that carry the meaning."""
    words = (word.casefold().replace("\u2019", "'") for word in _WORD.findall(sentence))
    return frozenset(_stem(word) for word in words if word not in _EMPTY)


def turned(sentence: str) -> str:
    """Say somebody's sentence back to them: "my cat is ill" becomes "your cat is ill"."""
    pieces: list[str] = []
    before = ""
    for piece in re.split(r"([^\W_]+(?:['\u2019][^\W_]+)?)", sentence):
        word = piece.casefold().replace("\u2019", "'")
        spoken = _TURNED.get(word, piece)
        if before in {"i", "we"} and word in _AFTER_YOU:
            spoken = _AFTER_YOU[word]
        pieces.append(spoken)
        if word.strip():
            before = word
    return "".join(pieces)


def as_sentence(text: str) -> str:
    """Begin with a capital and end with one full stop."""
    clean = text.strip().rstrip(" .!?…,;:")
    return f"{clean[:1].upper()}{clean[1:]}." if clean else ""


def _stem(word: str) -> str:
    base = word.removesuffix("'s")
    for suffix in _SUFFIXES:
        if base.endswith(suffix) and len(base) - len(suffix) >= _SHORTEST_STEM:
            base = base.removesuffix(suffix)
            break
    base = base.removesuffix("e") if len(base) > _SHORTEST_STEM else base
    return _SAME.get(base, base)
