"""What a message says about its file. Pure; the sender wrote it, so it may be wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentapp.files.rules import size_in_words
from agentapp.foundation.envelope import IncomingFile
from bots.matrix.crypt.attachments import locked_in

MOST = 10**12  # of anything that is counted
MAX_SOURCE = 600  # characters of an mxc address
FILES = frozenset({"m.image", "m.file", "m.audio", "m.video"})
_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,60}")


def files_of(content: Mapping[str, object]) -> tuple[IncomingFile, ...]:
    """Return the file of a message of a kind that has one.

    The source of an encrypted one is where it lies with what opens it. One that does not say both
    is named and not fetched.
    """
    kind = content.get("msgtype")
    if not isinstance(kind, str) or kind not in FILES:
        return ()
    info, name, source = content.get("info"), content.get("filename"), content.get("url")
    if not isinstance(name, str) or not name:
        name = content.get("body")
    size = _count(info, "size") if isinstance(info, Mapping) else 0
    is_address = isinstance(source, str) and source.startswith("mxc://")
    locked = None if is_address else locked_in(content.get("file"))
    if locked is not None:
        is_address, source = True, locked.packed()
    return (
        IncomingFile(
            name=name[:1_000] if isinstance(name, str) else "",
            said_type=", ".join(part for part in described(info) if part != size_in_words(size)),
            said_size=size,
            source=str(source)[:MAX_SOURCE] if is_address else "",
            is_sealed=not is_address and isinstance(content.get("file"), Mapping),
        ),
    )


def caption_of(content: Mapping[str, object], body: str) -> str:
    """Return what is written under a file; where no name is given apart, the body is the name."""
    name = content.get("filename")
    return body if isinstance(name, str) and name and name != body else ""


def described(info: object) -> list[str]:
    """Return type, size, dimensions and duration of a file, as far as they make sense."""
    if not isinstance(info, Mapping):
        return []
    kind, width, height = info.get("mimetype"), _count(info, "w"), _count(info, "h")
    parts = [
        kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else "",
        f"{width}x{height}" if width and height else "",
        _duration(_count(info, "duration")),
        size_in_words(_count(info, "size")),
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
