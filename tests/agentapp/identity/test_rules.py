from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentapp.foundation.errors import Invalid
from agentapp.identity import rules


def test_a_sentence_is_enough_for_a_spec() -> None:
    spec = rules.checked_spec({"instructions": "  You are Mira.  "})

    assert spec["instructions"] == "You are Mira."
    assert spec["capabilities"] == ["message", "post", "comment", "reaction"]
    assert spec["model"] == {"temperature": 0.7, "max_tokens": 600}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"instructions": ""},
        {"instructions": "\x00 "},
        {"instructions": 7},
        {"instructions": "x" * 8_001},
        {"instructions": "x", "tools": "recall"},
        {"instructions": "x", "interests": "music"},
        {"instructions": "x", "interests": [1]},
        {"instructions": "x", "interests": [str(n) for n in range(21)]},
        {"instructions": "x", "capabilities": ["fly"]},
        {"instructions": "x", "capabilities": "message"},
        {"instructions": "x", "model": "big"},
        {"instructions": "x", "model": {"temperature": 3}},
        {"instructions": "x", "model": {"temperature": True}},
        {"instructions": "x", "model": {"temperature": float("nan")}},
        {"instructions": "x", "model": {"max_tokens": 5}},
        {"instructions": "x", "model": {"top_p": 1}},
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        rules.checked_spec(wrong)


@given(st.dictionaries(st.text(max_size=12), st.one_of(st.text(), st.lists(st.text()))))
def test_no_input_does_anything_but_pass_or_be_refused(spec: dict[str, object]) -> None:
    try:
        rules.checked_spec(spec)
    except Invalid:
        return


@given(st.text(min_size=1, max_size=500))
def test_a_checked_spec_is_its_own_normal_form(instructions: str) -> None:
    try:
        once = rules.checked_spec({"instructions": instructions})
    except Invalid:
        return

    assert rules.checked_spec(once) == once
    assert rules.spec_hash(rules.checked_spec(once)) == rules.spec_hash(once)


def test_scopes_keep_one_order_and_know_no_others() -> None:
    assert rules.checked_scopes(["write", "read", "write"]) == ["read", "write"]
    for wrong in ([], ["root"]):
        with pytest.raises(Invalid):
            rules.checked_scopes(wrong)


@pytest.mark.parametrize("wrong", ["", "Mars/Base", "../../etc/passwd", "\x00", "/etc/passwd"])
def test_an_unknown_time_zone_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid):
        rules.checked_timezone(wrong)


@pytest.mark.parametrize("wrong", ["", "  \n", "\x00", "\u202e\u2066", "\u200b", "\u3164"])
def test_a_name_of_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid):
        rules.checked_name(wrong)


def test_tools_are_named_or_left_to_the_host() -> None:
    assert "tools" not in rules.checked_spec({"instructions": "x"})
    assert rules.checked_spec({"instructions": "x", "tools": []})["tools"] == []
    assert rules.checked_spec({"instructions": "x", "tools": [" recall ", "recall"]})["tools"] == [
        "recall"
    ]
