from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from typing_extensions import override

from dashboard.markdown import plain_text, render_markdown
from tests.pace import allowed


class Tags(HTMLParser):
    """Collects the elements that a browser would make."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:x)",
        "<svg onload=alert(1)>",
        '[x](http://a.example "onmouseover=alert(1)")',
        "```html\n<script>alert(1)</script>\n```",
    ],
)
def test_nothing_written_becomes_live_markup(text: str) -> None:
    tags = Tags()
    tags.feed(render_markdown(text))
    assert {name for name, _ in tags.seen} <= {"p", "a", "code", "pre"}
    for name, fields in tags.seen:
        assert set(fields) <= ({"href", "rel"} if name == "a" else set())
        assert fields.get("href", "https:").split(":")[0] in {"http", "https", "mailto"}


def test_a_remote_image_is_a_link_and_loads_nothing() -> None:
    html = render_markdown("![a cat](https://evil.example/cat.png?who=me)")
    assert "<img" not in html
    assert ">a cat</a>" in html


def test_every_link_says_that_a_stranger_wrote_it() -> None:
    for text in ("[x](https://a.example)", "https://a.example", "<https://a.example>"):
        assert 'rel="noopener nofollow ugc"' in render_markdown(text)


def test_what_people_use_in_chat_is_drawn() -> None:
    html = render_markdown("**bold** *it* ~~no~~ `code`\nnext\n\n- one\n\n> quote")
    for tag in ("<strong>", "<em>", "<s>", "<code>", "<br>", "<li>", "<blockquote>"):
        assert tag in html


def test_a_heading_does_not_break_the_outline_of_the_page() -> None:
    assert render_markdown("# Loud").strip() == "<p><strong>Loud</strong></p>"


def test_a_preview_has_no_marks_and_shows_markup_as_text() -> None:
    assert plain_text("**very** good\n\n- `x` <b>y</b> & z") == "very good x <b>y</b> & z"


@pytest.mark.parametrize(
    "text", ["[" * 16_000, "*" * 16_000, "> " * 8_000, "`" * 16_000, "\u202e x"]
)
def test_hostile_text_is_drawn_in_time(text: str) -> None:
    began = time.monotonic()
    assert isinstance(render_markdown(text), str)
    assert time.monotonic() - began < allowed(2)
