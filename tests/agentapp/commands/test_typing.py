"""What people type is a command only as a whole message; anything else is talk."""

from __future__ import annotations

import pytest

from agentapp.commands.registry import definitions, parse
from agentapp.commands.shapes import ALL, Where

ADA, BO = 7, 8
NAMES = dict.fromkeys(("@ada:green.test", "ada", "Ada", "Lady Ada"), ADA)


def read(text: str, **around: object) -> tuple[str, dict[str, object]] | None:
    found = parse(text, **{"names": NAMES, "is_moderator": True} | around)  # type: ignore[arg-type]
    return (found.command.name, dict(found.options)) if found else None


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("!forget", "forget"),
        ("/forget", "forget"),
        (" !FORGET me ", "forget"),
        ("@ada !mydata", "mydata"),
        ("Ada: !mydata", "mydata"),
        ("!neverremember", "neverremember"),
        ("!rememberme @ada:green.test", "rememberme"),
        ("/help", "help"),
        ("please do not !forget the milk", None),
        ("!forget the milk, please", None),
        ("!forgetful", None),
        ("forget", None),
        ("!forget milk", None),
        ("please !forget", None),
        ("!mydata" + " " * 200 + "x", None),
        ("!forget\n!mydata", None),
        ("\u202e!forget\0", None),
        ("/forget/me", None),
        ("//forget", None),
    ],
)
def test_only_a_wish_is_one(text: str, command: str | None) -> None:
    assert read(text) == ((command, {}) if command else None)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("!mute @ada 1h", {"agent": ADA, "hours": 1}),
        ("!MUTE Ada: 24h", {"agent": ADA, "hours": 24}),
        ("!mute @ada:green.test", {"agent": ADA}),
        ("!mute lady ada 30m", {"agent": ADA, "hours": 0.5}),
        ("!mute all 2d", {"agent": ALL, "hours": 48}),
        ("!mute ada 9999d", {"agent": ADA, "hours": 720}),
        ("!delete @ada", {"agent": ADA}),
        ("!delete Ada: 3", {"agent": ADA, "count": 3}),
        ("!delete all 999", {"agent": ALL, "count": 20}),
        ("!unmute @ada", {"agent": ADA}),
        ("!remove @ada 1h", {"agent": ADA}),
        ("!delete 3", None),
        ("!mute @bo 1h", None),
        ("!mute", None),
        ("!mute 1h", None),
        ("please !mute @ada 1h", None),
        ("!muted @ada", None),
        ("!mute @ada\nand then", None),
        ("!mute @ada" + " " * 400, None),
    ],
)
def test_only_an_order_is_one(text: str, options: dict[str, object] | None) -> None:
    found = read(text)
    assert (found[1] if found else None) == options


def test_who_looks_after_nothing_asks_for_themselves_only() -> None:
    assert read("!mute @ada 1h", is_moderator=False) is None
    assert read("!delete all", is_moderator=False) is None
    assert read("@ada !neverremember", is_moderator=False) == ("neverremember", {})


def test_a_mention_names_it_whatever_it_is_called_there() -> None:
    assert read("!mute Her Ladyship 1h", mentioned=[ADA]) == ("mute", {"agent": ADA, "hours": 1})
    assert read("!mute Her Ladyship 1h") is None
    assert read("!mute", mentioned=[ADA]) is None


@pytest.mark.parametrize(
    "text",
    [
        "@" + "a" * 100_000 + " !forget",
        "!" * 100_000,
        "a, " * 33_000,
        "!mute " + "1 " * 50_000,
        "!mute " + "\u202e\ud800\0" * 30_000,
    ],
)
def test_a_hundred_thousand_characters_are_talk(text: str) -> None:
    assert read(text) is None


def test_every_command_can_be_registered_with_platforms() -> None:
    listed = definitions()
    assert {"help", "forget", "mute"} <= {command.name for command in listed}
    for command in listed:
        assert command.name.isascii()
        assert command.name.islower()
        assert len(command.name) <= 32
        assert 0 < len(command.description) <= 100
        assert command.description.endswith(".")
        assert len(command.options) <= 25
        required = [option.is_required for option in command.options]
        assert required == sorted(required, reverse=True)  # Discord wants them first
        for option in command.options:
            assert option.name.islower()
            assert 0 < len(option.description) <= 100
            assert option.least <= option.most
    assert all(command.label for command in definitions(offered=Where.MENU))
