"""What a message says about its file, in words. Pure; the sender wrote it, so it may be wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST = 10**12  # of anything that is counted
_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,60}")


def described(info: object) -> list[str]:
    """Return type, size, dimensions and duration of a file, as far as they make sense."""
    if not isinstance(info, Mapping):
        return []
    kind, width, height = info.get("mimetype"), _count(info, "w"), _count(info, "h")
    parts = [
        kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else "",
        f"{width}x{height}" if width and height else "",
        _duration(_count(info, "duration")),
        _size(_count(info, "size")),
    ]
    return [part for part in parts if part]


def _count(info: Mapping[str, object], name: str) -> int:
    value = info.get(name)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value < MOST else 0  # type: ignore[operator,return-value]


def _duration(milliseconds: int) -> str:
    if not milliseconds:
        return ""
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes}:{seconds:02} min" if minutes else f"{seconds} s"


def _size(count: int) -> str:
    if not count:
        return ""
    for unit, step in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= step:
            return f"{count / step:.1f} {unit}" if count < 10 * step else f"{count // step} {unit}"
    return f"{count} bytes"
