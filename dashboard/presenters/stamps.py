"""Versions of what is shown: a fragment with the same stamp need not be drawn again."""

from __future__ import annotations

import zlib


def stamp(*parts: object) -> str:
    """Return a short fingerprint of everything that a fragment shows."""
    return f"{zlib.crc32(repr(parts).encode('utf-8', 'replace')):08x}"
