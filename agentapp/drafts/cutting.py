"""Cuts a long text into messages, where a reader would."""

from __future__ import annotations

import re

from wcwidth import iter_graphemes

CLOSING = "\n```"
MAX_FENCE = 32  # characters of a fence with its language that are repeated

_FENCE = re.compile(r"^ {0,3}(```|~~~)[^\n`]*$", re.MULTILINE)
# Also as East Asia ends sentences, and with typographic quotes.
_SENTENCE = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)\]]*\s")
# What means nothing when it is torn: links, addresses, names, emoji of a server.
_WHOLE = re.compile(
    r"!?\[[^\]\n]{1,500}\]\([^)\s]{1,2000}\)|https?://\S+|<[@#:a][^>\s]{1,80}>|`[^`\n]+`"
)


def cut(text: str, *, limit: int) -> list[str]:
    """Return a text in pieces of at most `limit` code points; at least one, perhaps empty.

    Prefers ends of paragraphs, then lines, sentences and words, and cuts no grapheme. A block of
    code that does not fit is closed and opened again, with its language.
    """
    pieces: list[str] = []
    rest, fence = text, ""
    while rest.strip() or not pieces:
        head = f"{fence}\n" if fence else ""
        if len(head) + len(rest) <= limit:
            pieces.append(head + rest)
            break
        at = _place(rest, limit - len(head) - len(CLOSING), is_code=bool(fence))
        part, rest = rest[:at], rest[at:]
        fence = _fence_after(part, fence)
        tail = CLOSING if fence else ""
        pieces.append(head + part.rstrip() + tail)
        rest = rest.removeprefix("\n") if fence else rest.lstrip("\n ")
    return pieces


def _place(text: str, room: int, *, is_code: bool) -> int:
    """Return where to cut: after at least one code point and at most `room` of them."""
    window = text[:room]
    found = _line_end(window) if is_code else _natural(window)
    if not found:
        return _grapheme(text, room)
    for whole in _WHOLE.finditer(text):
        if whole.start() >= found:
            break
        if found < whole.end() and whole.start() > 0:
            return whole.start()
    return _before_opening(text, found) or found


def _natural(window: str) -> int:
    """Return the end of the last paragraph, line, sentence or word, if it comes late enough."""
    sentences = [each.end() for each in _SENTENCE.finditer(window)]
    ends = [
        window.rfind("\n\n") + 2,
        window.rfind("\n") + 1,
        sentences[-1] if sentences else 0,
        window.rfind(" ") + 1,
    ]
    late = [end for end in ends if end > len(window) // 2]
    return late[0] if late else max(_line_end(window), ends[-1])


def _line_end(window: str) -> int:
    return window.rfind("\n") + 1


def _grapheme(text: str, room: int) -> int:
    """Return the end of the last whole grapheme; one that is longer than that is torn."""
    at = 0
    for each in iter_graphemes(text[: room + 1]):
        if at + len(each) > room:
            break
        at += len(each)
    return at or room


def _before_opening(text: str, at: int) -> int:
    """Return where a block of code begins that has nothing in it before the cut; 0 for none."""
    head = text[:at].rstrip()
    last = head.rfind("\n") + 1
    is_opening = _FENCE.fullmatch(head, last) and _fence_after(head, "")
    return last if is_opening else 0


def _fence_after(part: str, fence: str) -> str:
    """Return the line that opened the block of code in which a part ends; "" outside of any."""
    for line in _FENCE.finditer(part):
        fence = "" if fence else line[0].strip()[:MAX_FENCE]
    return fence
