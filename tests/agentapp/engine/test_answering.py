"""What of a model's text is said, and what fits into a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentapp.engine.rules import fitting
from agentapp.engine.rules.answering import sayable
from agentapp.intake.rules import begins_with_name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello.", "Hello."),
        ("Mira: Hello.", "Hello."),
        ("**Mira:** Hello.", "Hello."),
        ("Miranda: Hello.", "Miranda: Hello."),
        ('"Hello."', "Hello."),
        ('"Hello" and "bye"', '"Hello" and "bye"'),
        ("\u201cHello.\u201d", "Hello."),
        ("  \0 ", None),
        ("Mira:", None),
        ('"', '"'),
    ],
)
def test_an_answer_is_said_bare(text: str, said: str | None) -> None:
    assert sayable(text, finish_reason="stop", name="Mira") == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("One. Two. Thr", "One. Two."),
        ('He said "no." And th', 'He said "no."'),
        ("No end in si", None),
        ("Version 1.5 is", None),
        ("Look: ```print(1). More", None),
        ("Look: ```x``` done. And", "Look: ```x``` done."),
        ("\u305d\u3046\u3067\u3059\u3002 \u3067\u3082", "\u305d\u3046\u3067\u3059\u3002"),
    ],
)
def test_an_answer_that_was_cut_ends_with_a_sentence_or_not_at_all(
    text: str, said: str | None
) -> None:
    assert sayable(text, finish_reason="length", name="Mira") == said


def test_an_answer_that_ended_otherwise_is_not_said() -> None:
    for reason in ("content_filter", "tool_calls", "error"):
        assert sayable("Hello.", finish_reason=reason, name="Mira") is None


@given(st.text(max_size=200), st.sampled_from(["stop", "length", "x"]))
def test_nothing_is_ever_added_to_an_answer(text: str, reason: str) -> None:
    said = sayable(text, finish_reason=reason, name="Mira")
    assert said is None or len(said) <= len(text)


@given(st.lists(st.text(max_size=60), max_size=12), st.integers(-10, 200))
def test_what_fits_is_the_longest_beginning_that_does(texts: list[str], budget: int) -> None:
    count = fitting.first_that_fit(texts, budget=budget)
    assert sum(map(fitting.tokens, texts[:count])) <= max(budget, 0)
    if count < len(texts):
        assert sum(map(fitting.tokens, texts[: count + 1])) > budget


@given(st.text(max_size=300), st.integers(20, 100))
def test_a_clipped_text_is_never_longer_than_allowed(text: str, limit: int) -> None:
    assert len(fitting.clipped(text, limit=limit)) <= limit


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_can_be_asked_for_any_name(text: str, name: str) -> None:
    assert begins_with_name(text, name=name) in {True, False}


def test_nothing_that_can_be_seen_is_no_answer() -> None:
    assert sayable("\u200b\u2060 \n", finish_reason="stop", name="Mira") is None
