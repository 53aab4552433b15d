"""What a file is called and what it is: pure, and never by what its sender says of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import filetype

from agentapp.foundation.text import normalised, one_line

MB = 1_000_000
MOST_FILES = 20  # of one message, whatever a limit says
MAX_NAME = 120  # characters
MAX_EXCERPT = 6_000  # characters of a text that an agent may read
MAX_PIXELS = 25_000_000  # of a picture that is opened; drawn anew it has far fewer
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
UNKNOWN = "application/octet-stream"
TEXT = "text/plain"

_TEXT_TYPES = {"csv": "text/csv", "md": "text/markdown", "markdown": "text/markdown"}
# What starts as a program when somebody opens it.
_PROGRAM_ENDINGS = frozenset(
    {
        *("apk", "app", "appimage", "bat", "bin", "cmd", "com", "cpl", "deb", "dll", "dmg", "exe"),
        *("hta", "jar", "jnlp", "js", "jse", "lnk", "msi", "msp", "pif", "ps1", "reg", "rpm"),
        *("scr", "so", "sys", "url", "vbe", "vbs", "ws", "wsf", "wsh"),
    }
)
_PROGRAM_TYPES = frozenset(
    {
        "application/x-msdownload",
        "application/x-executable",
        "application/x-rpm",
        "application/x-deb",
        "application/x-shockwave-flash",
        "application/x-google-chrome-extension",
        "application/wasm",
    }
)
_PROGRAM_STARTS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
_MARKUP = (b"<!doctype", b"<html", b"<svg", b"<?xml", b"<head", b"<body", b"<script", b"<!--")
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is. `text` is all its words where it has any."""

    content_type: str
    text: str | None = None

    @property
    def is_picture(self) -> bool:
        """Say whether it is a picture of a kind that is opened here."""
        return self.content_type in PICTURES


def clean_name(name: str) -> str:
    """Return a file's name without folders, line breaks and marks that turn it around."""
    bare = one_line(re.split(r"[/\\]", name.replace("\0", ""))[-1], limit=2_000)
    bare = re.sub(r'[<>:"|?*]', "_", bare).strip(". ")
    if len(bare) > MAX_NAME:
        stem, dot, ending = bare.rpartition(".")
        is_ending = bool(dot) and len(ending) <= 10
        bare = f"{stem[: MAX_NAME - len(ending) - 2]}….{ending}" if is_ending else bare[:MAX_NAME]
    return bare or "file"


def ending(name: str) -> str:
    """Return what follows a name's last dot, in small letters; "" for nothing."""
    _, dot, last = name.rpartition(".")
    return last.lower() if dot else ""


def kind_of(name: str, content: bytes) -> Kind:
    """Return what bytes are; the name only tells texts apart."""
    # The library says nothing of its types.
    found: str | None = filetype.guess_mime(content[:8_192])  # type: ignore[no-untyped-call]
    if found:
        return Kind(found)
    text = _text(content)
    if text is None:
        return Kind(UNKNOWN)
    start = content[:4_096].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_MARKUP):
        is_drawing = b"<svg" in start and b"<html" not in start
        return Kind("image/svg+xml" if is_drawing else "text/html", text)
    if ending(name) == "json" and _is_json(text):
        return Kind("application/json", text)
    return Kind(_TEXT_TYPES.get(ending(name), TEXT), text)


def is_program(name: str, content: bytes, kind: Kind) -> bool:
    """Say whether opening it may run it."""
    return (
        ending(name) in _PROGRAM_ENDINGS
        or kind.content_type in _PROGRAM_TYPES
        or content.startswith(_PROGRAM_STARTS)
    )


def excerpt(text: str) -> str:
    """Return the beginning of a text, made safe to store and to read."""
    return normalised(text, limit=MAX_EXCERPT)


def size_in_words(count: int) -> str:
    """Return a number of bytes as people say it: "12 kB"; "" for none."""
    if not count:
        return ""
    for unit, step in (("MB", MB), ("kB", 1_000)):
        if count >= step:
            return f"{count / step:.1f} {unit}" if count < 10 * step else f"{count // step} {unit}"
    return f"{count} bytes"


def _text(content: bytes) -> str | None:
    """Return bytes as words if they are any."""
    for mark, code in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            text = content.decode(code, "replace")
            break
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None
    return None if _NOT_TEXT.search(text) else text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
