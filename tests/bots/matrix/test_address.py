"""Where a homeserver may be."""

from __future__ import annotations

import ipaddress

import pytest

from bots.matrix.address import BadHomeserver, checked_homeserver, may_connect


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("matrix.example.org", "https://matrix.example.org"),
        (" https://Matrix.Example.org/ ", "https://matrix.example.org"),
        ("https://matrix.example.org:8448", "https://matrix.example.org:8448"),
        ("https://[2606:4700::1111]", "https://[2606:4700::1111]"),
    ],
)
def test_an_address_has_one_spelling(text: str, said: str) -> None:
    assert checked_homeserver(text, allow_private=False) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://matrix.example.org",
        "http://127.0.0.1:8008",
        "https://127.0.0.1",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://[::1]",
        "https://[::ffff:10.0.0.1]",
        "https://[64:ff9b::a00:1]",
        "https://2130706433",
        "https://0x7f.1",
        "https://user:pass@matrix.example.org",
        "https://matrix.example.org/path",
        "https://matrix.example.org?x",
        "ftp://matrix.example.org",
        "https://matrix.example.org:99999",
        "https://mat rix.example.org",
        "https://m\u0430trix.example.org",
        "https://" + "a" * 400,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadHomeserver):
        checked_homeserver(text, allow_private=False)


def test_ones_own_machine_needs_the_operators_word() -> None:
    assert checked_homeserver("http://127.0.0.1:8008", allow_private=True)
    assert checked_homeserver("http://synapse:8008", allow_private=True)
    for never in ("https://169.254.169.254", "http://matrix.example.org"):
        with pytest.raises(BadHomeserver):
            checked_homeserver(never, allow_private=True)


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("10.1.2.3", False, True),
        ("127.0.0.1", False, True),
        ("100.64.0.1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("2002:7f00:1::", False, True),
        ("169.254.169.254", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("fe80::1", False, False),
    ],
)
def test_every_address_a_name_leads_to_is_asked_about(
    address: str, public: bool, private: bool
) -> None:
    parsed = ipaddress.ip_address(address)
    assert may_connect(parsed, allow_private=False) is public
    assert may_connect(parsed, allow_private=True) is private
