"""A piece as the content of a Matrix event: the words, safe HTML beside them, and who is named.

`m.mentions` is always there, so that quoting somebody's name pings nobody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape

import nh3
from markdown_it import MarkdownIt

from bots.matrix.crypt.attachments import unpacked

FORMAT = "org.matrix.custom.html"
MAX_CONTENT = 45_000  # bytes as JSON; encrypted and with its signatures it may have 64 KiB
MAX_BRACKETS = 500  # opening brackets in a text that is still read for links
TAGS = {
    *("p", "br", "strong", "em", "del", "s", "code", "pre", "ul", "ol", "li", "blockquote"),
    *("a", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
Content = dict[str, object]


@dataclass(frozen=True, slots=True)
class Answered:
    """The event that a piece answers, and the thread it stands in ("" for none)."""

    event_id: str
    sender: str
    thread: str = ""


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    return parser.enable(["strikethrough", "table"])


_PARSER = _parser()


def safe_html(text: str) -> str:
    """Return a text's markdown as HTML that can do no harm; pictures become nothing.

    Markup in the text is shown, not obeyed: a remote picture would tell its server who reads.
    """
    # Looking for a link behind each of thousands of brackets takes seconds.
    if text.count("[") > MAX_BRACKETS:
        return f"<p>{escape(text)}</p>".replace("\n", "<br>")
    cleaned = nh3.clean(
        str(_PARSER.render(text)),
        tags=TAGS,
        attributes={"a": {"href"}, "*": set()},
        url_schemes={"http", "https", "mailto"},
    )
    return cleaned.strip()


def render_message(
    text: str,
    *,
    answered: Answered | None = None,
    is_notice: bool = False,
    goes_on: bool = False,
) -> Content:
    """Return a message, in the thread of what it answers.

    Args:
        goes_on: An earlier piece answered it, so nobody is pinged again.
    """
    content = _text(text, is_notice=is_notice)
    content["m.mentions"] = {"user_ids": [answered.sender]} if answered and not goes_on else {}
    if answered is None:
        return content
    reply: Content = {"m.in_reply_to": {"event_id": answered.event_id}}
    if answered.thread:
        # The answered message is named as a real answer: no client has to guess.
        thread = {"rel_type": "m.thread", "event_id": answered.thread, "is_falling_back": False}
        reply = {**thread, **reply}
    content["m.relates_to"] = reply
    return content


def render_edit(text: str, *, event_id: str) -> Content:
    """Return an edit of an own message. It pings nobody again."""
    new = _text(text, is_notice=False)
    new["m.mentions"] = {}
    return {
        **new,
        "body": f"* {text}",
        "m.new_content": new,
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
    }


def render_reaction(emoji: str, *, event_id: str) -> Content:
    """Return an emoji on a message."""
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": emoji}}


def render_file(*, name: str, where: str, content_type: str, size: int) -> Content:
    """Return an uploaded file as a message.

    Args:
        where: Its address, or of a locked one also what opens it.
    """
    locked = unpacked(where)
    file: Content = {"file": locked.shown()} if locked else {"url": where}
    kind = content_type.partition("/")[0]
    return {
        "msgtype": f"m.{kind}" if kind in {"image", "audio", "video"} else "m.file",
        "body": name,
        "filename": name,
        **file,
        "info": {"mimetype": content_type, "size": size},
        "m.mentions": {},
    }


def _text(text: str, *, is_notice: bool) -> Content:
    content: Content = {"msgtype": "m.notice" if is_notice else "m.text", "body": text}
    html = safe_html(text)
    if html == f"<p>{escape(text, quote=False)}</p>":
        return content  # it says nothing that the words do not
    formatted: Content = {**content, "format": FORMAT, "formatted_body": html}
    is_small = len(json.dumps(formatted, ensure_ascii=False).encode(errors="replace")) < MAX_CONTENT
    return formatted if is_small else content
