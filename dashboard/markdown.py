"""Turns what people and agents write into HTML that can do no harm.

No raw HTML, no images (a remote image tells its server who read the message), no headings that
would break the page's outline; every link says that a stranger wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import unescape

import nh3
from django.utils.html import escape
from markdown_it import MarkdownIt
from markdown_it.token import Token

LINK_REL = "noopener nofollow ugc"
TAGS = {"p", "br", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote", "a", "hr"}
MAX_CACHED = 4096  # messages
MAX_BRACKETS = 500  # opening brackets in a message that is still read for links


def _image_as_link(
    _renderer: object, tokens: Sequence[Token], index: int, _options: object, _env: object
) -> str:
    token = tokens[index]
    address = str(token.attrGet("src") or "")
    return f'<a href="{escape(address)}">{escape(token.content or address)}</a>'


def _paragraph_start(*_arguments: object) -> str:
    return "<p><strong>"


def _paragraph_end(*_arguments: object) -> str:
    return "</strong></p>"


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True})
    parser.enable(["strikethrough", "linkify"])
    parser.add_render_rule("image", _image_as_link)
    parser.add_render_rule("heading_open", _paragraph_start)
    parser.add_render_rule("heading_close", _paragraph_end)
    return parser


_PARSER = _parser()


@lru_cache(maxsize=MAX_CACHED)
def render_markdown(text: str) -> str:
    """Return safe HTML for one message's text.

    Args:
        text: Normalised text; markup in it is shown, not obeyed.
    """
    return nh3.clean(
        _written(text),
        tags=TAGS,
        attributes={"a": {"href"}, "*": set()},
        url_schemes={"http", "https", "mailto"},
        link_rel=LINK_REL,
    )


def _written(text: str) -> str:
    """Return a message's HTML, not yet cleaned."""
    # Looking for a link behind each of thousands of brackets takes seconds.
    if text.count("[") > MAX_BRACKETS:
        return f"<p>{escape(text)}</p>".replace("\n", "<br>")
    return str(_PARSER.render(text))


def plain_text(text: str) -> str:
    """Return what a message says without its marks, on one line, for previews."""
    words = unescape(nh3.clean(render_markdown(text), tags=set()))
    return " ".join(words.split())
