"""What of a message is worth keeping, for how long, and who may hear it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from agentapp.memory import phrases

MAX_TEXT = 16_000  # characters looked at; a longer paste is not somebody telling about themselves
MAX_SENTENCE = 300  # characters
MIN_WORDS = 3
TRIMMED = " ,;-\u2013\u2014"
MAX_SENTENCES = 5  # per message: more is a story, and its summary is made elsewhere

SHORT_LIFETIME = timedelta(days=7)
MID_LIFETIME = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a sentence matters (0 to 1), and when it is forgotten (None: not by time)."""

    importance: float
    tier: str
    lifetime: timedelta | None


def memorable_sentences(text: str) -> list[str]:
    """Pick what a message says about its author, in English or German.

    Questions, commands, links, quotes of others, credentials, and claims of rights or orders to
    the agent are left out.

    Returns:
        At most `MAX_SENTENCES` sentences as written, in order, none twice.
    """
    found: dict[str, str] = {}
    for sentence in _sentences(phrases.FOREIGN.sub(" ", text[:MAX_TEXT])):
        statement = _statement(sentence)
        if statement and _is_memorable(statement):
            found.setdefault(statement.casefold(), statement)
    return list(found.values())[:MAX_SENTENCES]


def weigh(sentence: str) -> Weight:
    """Judge a memorable sentence: asked-for and names last, what has a date ends with it.

    What holds for a day is short, what has a date is mid, everything else is long.
    """
    plain = sentence.replace("\u2019", "'")
    if phrases.ASKED_TO_KEEP.search(plain):
        return Weight(importance=0.9, tier="long", lifetime=None)
    if phrases.NAMES.search(plain):
        return Weight(importance=0.8, tier="long", lifetime=None)
    if phrases.THIS_DAY.search(plain):
        return Weight(importance=0.6, tier="short", lifetime=SHORT_LIFETIME)
    if phrases.DATES.search(plain):
        return Weight(importance=0.7, tier="mid", lifetime=MID_LIFETIME)
    return Weight(importance=0.5, tier="long", lifetime=None)


def audience_in(*, kind: str, visibility: str, parent_visibility: str | None = None) -> str:
    """Say who may hear again what a person said in a room of this kind.

    Args:
        kind: The room's kind.
        visibility: The room's own visibility.
        parent_visibility: For a thread that of its room: a thread is never more open.
    """
    if kind == "direct":
        return "direct"
    if kind == "thread" and parent_visibility != "public":
        return "room"
    return "public" if visibility == "public" else "room"


def _sentences(text: str) -> list[str]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith(">"))
    parts = (part for line in lines for part in phrases.SENTENCE_END.split(line))
    return [" ".join(part.split()) for part in parts]


def _statement(sentence: str) -> str:
    """Return the sentence without its greeting and without a question hung on to it."""
    said = phrases.GREETING.sub("", sentence).strip(TRIMMED)
    if said.endswith("?"):
        told = phrases.TRAILING_QUESTION.match(said)
        said = told.group("told").strip(TRIMMED) if told else ""
    return said


def _is_memorable(said: str) -> bool:
    if len(said) > MAX_SENTENCE or len(said.split()) < MIN_WORDS:
        return False
    plain = said.replace("\u2019", "'")
    if phrases.UNWANTED.search(plain):
        return False
    own_words = phrases.QUOTED.sub(" ", plain)
    if phrases.ASKED_TO_KEEP.search(own_words):
        return True
    if phrases.OPENS_QUESTION_OR_COMMAND.match(own_words):
        return False
    return bool(phrases.ABOUT_AUTHOR.search(own_words))
