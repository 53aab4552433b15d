from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentapp.foundation.text import (
    MAX_TEXT,
    TRUNCATED,
    is_visible,
    normalised,
    one_line,
    raw_bytes,
)

ANY_TEXT = st.text(alphabet=st.characters(codec=None, categories=None), max_size=400)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a\x00b", "ab"),
        ("x\ud800y", "x\ufffdy"),
        ("\ud83d\ude00", "😀"),  # the two halves of a pair, written apart
        ("user\u202eexe.txt", "userexe.txt"),
        ("\u2066isolated\u2069", "isolated"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("e\u0301", "é"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),  # joined emoji stay joined
        ("  tabs\tstay ", "tabs\tstay"),
        ("\x1b[31mred", "[31mred"),
    ],
)
def test_text_is_made_safe(written: str, kept: str) -> None:
    assert normalised(written) == kept


@pytest.mark.parametrize("nothing", ["", " \n", "\u200b\u200d", "\u2800", "\u3164", "\u0301"])
def test_what_shows_nothing_is_not_visible(nothing: str) -> None:
    assert not is_visible(nothing)
    assert is_visible(nothing + "👍")
    assert is_visible("é" + nothing)


def test_a_long_paste_is_cut_and_marked() -> None:
    text = normalised("word " * 20_000)

    assert len(text) <= MAX_TEXT
    assert text.endswith(TRUNCATED)


@given(ANY_TEXT)
def test_any_text_can_be_stored(text: str) -> None:
    clean = normalised(text)

    assert "\x00" not in clean
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert normalised(clean) == clean
    assert "\n" not in one_line(text)
    assert raw_bytes(text).decode("utf-8", "surrogatepass") == text
