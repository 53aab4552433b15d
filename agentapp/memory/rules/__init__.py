"""Pure decisions about memories: what is kept, what comes to mind, what a talk may leave behind."""

from __future__ import annotations

from agentapp.memory.rules.keeping import (
    MAX_SENTENCES,
    MAX_TEXT,
    MID_LIFETIME,
    SHORT_LIFETIME,
    Weight,
    audience_in,
    memorable_sentences,
    weigh,
)
from agentapp.memory.rules.ranking import (
    FITS_FROM,
    Recalled,
    asked_words,
    best,
    freshness,
    nearness,
    relevance,
)

__all__ = [
    "FITS_FROM",
    "MAX_SENTENCES",
    "MAX_TEXT",
    "MID_LIFETIME",
    "SHORT_LIFETIME",
    "Recalled",
    "Weight",
    "asked_words",
    "audience_in",
    "best",
    "freshness",
    "memorable_sentences",
    "nearness",
    "relevance",
    "weigh",
]
