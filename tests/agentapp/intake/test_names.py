"""Whom a text names."""

from __future__ import annotations

import pytest

from agentapp.intake import rules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@Ana", ["Ana"]),
        ("hello @ana, and @An!", ["Ana", "An"]),
        ("@Anabel", []),
        ("mail ana@ana.org", []),
        ("@@Ana", []),
        ("@Ana Maria is here", ["Ana Maria"]),
        ("no one", []),
        ("@Ana @ana", ["Ana"]),
    ],
)
def test_mentions(text: str, expected: list[str]) -> None:
    assert rules.mentioned(text, names=["Ana", "An", "Ana Maria", ""]) == expected


@pytest.mark.parametrize(
    ("text", "begins", "calls"),
    [
        ("Will, are you there?", True, True),
        ("will it rain?", True, False),
        ("hey Will what is new", True, True),
        ("@Will come", True, True),
        ("Good morning, Will", True, True),
        ("Willow is a tree", False, False),
        ("I saw Will", False, False),
        ("Will", True, True),
        ("", False, False),
        ("highWill", False, False),
    ],
)
def test_a_name_in_front(text: str, begins: bool, calls: bool) -> None:
    assert rules.begins_with_name(text, name="Will") is begins
    assert rules.calls_by_name(text, name="Will") is calls


def test_no_name_is_nobody() -> None:
    assert not rules.begins_with_name("Hello", name="")
