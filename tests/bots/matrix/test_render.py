"""What an agent says becomes content that is safe, says who it answers, and pings nobody else."""

from __future__ import annotations

import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.matrix.render import (
    Answered,
    render_edit,
    render_file,
    render_message,
    render_reaction,
    safe_html,
)
from tests.pace import allowed

ANSWERED = Answered("$old", "@ann:green.test")


def test_plain_words_need_no_html() -> None:
    assert render_message("Good evening, it's 5 > 4.") == {
        "msgtype": "m.text",
        "body": "Good evening, it's 5 > 4.",
        "m.mentions": {},
    }


def test_markdown_becomes_html_beside_the_words() -> None:
    content = render_message("**Tea** is `ready`\n\n- green\n- black")
    assert content["format"] == "org.matrix.custom.html"
    assert content["body"] == "**Tea** is `ready`\n\n- green\n- black"
    assert "<strong>Tea</strong>" in str(content["formatted_body"])
    assert "<li>green</li>" in str(content["formatted_body"])


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![cat](https://spy.example/cat.png)",
        "[x](javascript:alert(1))",
        '<a href="javascript:alert(1)">x</a>',
        "<mx-reply>forged</mx-reply>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        '[x](https://a.example "onmouseover=alert(1)")',
    ],
)
def test_nothing_in_a_text_becomes_markup_of_its_own(text: str) -> None:
    html = safe_html(text)
    assert not any(bad in html for bad in ("<script", "<img", "<mx-reply", "spy.example"))
    assert not re.search(r"<a [^>]*(javascript|data:|title|onmouse)", html)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="<>[]()!*_`~#|-&;:/\"'= \nabc@", max_size=200))
def test_whatever_is_said_stays_inside_the_allowed_tags(text: str) -> None:
    html = safe_html(text)
    assert "<img" not in html
    assert "<script" not in html
    content = render_message(text)
    assert content["body"] == text
    assert content["m.mentions"] == {}


def test_a_reply_pings_only_whom_it_answers() -> None:
    content = render_message("Yes, @room and @bob:green.test", answered=ANSWERED)
    assert content["m.mentions"] == {"user_ids": ["@ann:green.test"]}
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": "$old"}}


def test_an_answer_stays_in_its_thread() -> None:
    content = render_message("Yes", answered=Answered("$old", "@ann:green.test", "$root"))
    assert content["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": "$old"},
    }


def test_an_edit_carries_the_new_words_twice_and_pings_nobody() -> None:
    content = render_edit("**New**", event_id="$mine")
    assert content["body"] == "* **New**"
    assert content["m.relates_to"] == {"rel_type": "m.replace", "event_id": "$mine"}
    assert content["m.mentions"] == {}
    new = content["m.new_content"]
    assert isinstance(new, dict)
    assert new["body"] == "**New**"


def test_reactions_files_and_notices() -> None:
    assert render_reaction("👍", event_id="$old")["m.relates_to"] == {
        "rel_type": "m.annotation",
        "event_id": "$old",
        "key": "👍",
    }
    for content_type, kind in (("image/png", "m.image"), ("text/plain", "m.file")):
        content = render_file(name="a", where="mxc://a/b", content_type=content_type, size=3)
        assert content["msgtype"] == kind
    assert render_message("x", is_notice=True)["msgtype"] == "m.notice"


def test_the_longest_text_fits_an_event_and_takes_no_time() -> None:
    for text in ("[" * 16_000, "*a " * 5_000, "<&>" * 5_000, "> " * 8_000, "\U0001f475" * 10_000):
        begun = time.monotonic()
        content = render_message(text)
        assert time.monotonic() - begun < allowed(2.0)
        assert len(json.dumps(content, ensure_ascii=False).encode()) < 60_000
