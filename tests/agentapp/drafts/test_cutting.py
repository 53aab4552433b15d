"""Long texts are cut where a reader would, and nothing of them is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentapp.drafts.cutting import cut

FAMILY = "👨‍👩‍👧‍👦"


def test_a_short_text_is_one_piece() -> None:
    assert cut("Hello.", limit=100) == ["Hello."]
    assert cut("", limit=100) == [""]


def test_paragraphs_come_before_lines_sentences_and_words() -> None:
    text = "One two. Three four.\n\nFive six.\nSeven eight nine."
    assert cut(text, limit=36) == ["One two. Three four.", "Five six.\nSeven eight nine."]
    assert cut("One two three. Four five six", limit=20) == ["One two three.", "Four five six"]
    assert cut("One two three four five", limit=20) == ["One two three", "four five"]


def test_code_is_closed_and_opened_again_with_its_language() -> None:
    lines = "\n".join(f"    print({number})" for number in range(10))
    pieces = cut(f"So:\n```python\n{lines}\n```\nDone.", limit=80)
    assert len(pieces) > 2
    assert all(piece.count("```") % 2 == 0 for piece in pieces)
    assert all(piece.startswith("```python\n    print") for piece in pieces[1:-1])
    assert re.findall(r"print\(\d\)", "".join(pieces)) == [f"print({n})" for n in range(10)]


def test_a_block_does_not_open_at_the_very_end_of_a_piece() -> None:
    pieces = cut("Words and words and more.\n```py\n" + "x = 1\n" * 8 + "```", limit=40)
    assert pieces[0] == "Words and words and more."


@pytest.mark.parametrize(
    "whole",
    ["https://example.org/a/long/way", "[the tea page](https://example.org/tea)", "<@12345678901>"],
)
def test_links_and_names_stay_whole(whole: str) -> None:
    pieces = cut(f"{'word ' * 9}{whole} {'word ' * 9}", limit=60)
    assert sum(whole in piece for piece in pieces) == 1


def test_a_family_stays_together() -> None:
    pieces = cut(FAMILY * 40, limit=50)
    assert all(len(piece) % len(FAMILY) == 0 for piece in pieces)
    assert "".join(pieces) == FAMILY * 40


@given(st.text(alphabet=st.sampled_from("ab .\n`~[]()<@h👍é"), max_size=400), st.integers(50, 90))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, limit: int) -> None:
    pieces = cut(text, limit=limit)
    assert all(len(piece) <= limit for piece in pieces)
    if "```" not in text and "~~~" not in text:
        assert "".join("".join(pieces).split()) == "".join(text.split())
