"""Text from outside, made safe to store and compare; the raw bytes are kept beside it."""

from __future__ import annotations

import unicodedata

MAX_TEXT = 16_000  # characters of normalised text; a longer paste is kept raw and marked
MAX_RAW = 1_000_000  # bytes

# Explicit direction marks can make a line read as something it is not.
_BIDI = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])
# Letters and symbols by category, and yet nothing is drawn: Braille's blank, Hangul's fillers.
_BLANK = {"\u2800", "\u115f", "\u1160", "\u3164", "\uffa0"}
_ALLOWED_CONTROLS = {"\n", "\t"}
TRUNCATED = "… [shortened]"


def raw_bytes(text: str) -> bytes:
    """Return what was written, byte for byte, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")[:MAX_RAW]


def normalised(text: str, *, limit: int = MAX_TEXT) -> str:
    """Return text that Postgres stores and people can trust.

    NUL and other control characters go, lone surrogates become U+FFFD, direction overrides go,
    every line end becomes a line feed, the form is NFC. Longer than `limit` characters is cut and
    marked.
    """
    shortened = text[: limit * 2]
    clean = shortened.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    clean = clean.replace("\r\n", "\n").replace("\r", "\n").translate(_BIDI)
    clean = "".join(c for c in clean if c in _ALLOWED_CONTROLS or unicodedata.category(c) != "Cc")
    clean = unicodedata.normalize("NFC", clean).strip()
    if len(clean) > limit or len(text) > limit * 2:
        return clean[: limit - len(TRUNCATED)] + TRUNCATED
    return clean


def is_visible(text: str) -> bool:
    """Say whether a text shows anything: neither spaces nor format characters do."""
    return any(c not in _BLANK and unicodedata.category(c)[0] not in "CZM" for c in text)


def is_shortened(clean: str, text: str) -> bool:
    """Say whether `normalised` had to cut a text short to make `clean` of it."""
    return clean.endswith(TRUNCATED) and not text.endswith(TRUNCATED)


def one_line(text: str, *, limit: int = 80) -> str:
    """Return a name or title: normalised, without line breaks, at most `limit` characters."""
    return " ".join(normalised(text, limit=4 * limit).split())[:limit]
