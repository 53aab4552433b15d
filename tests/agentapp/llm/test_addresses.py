"""Which addresses may be typed in, and which are one's own machines."""

from __future__ import annotations

import ipaddress

import pytest

from agentapp.llm.rules.addresses import (
    BadAddress,
    checked_base_url,
    is_allowed_address,
    is_local_host,
    is_local_url,
    origin,
)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        (" https://API.OpenAI.com/v1/ ", "https://api.openai.com/v1"),
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.groq.com/openai/v1/chat/completions", "https://api.groq.com/openai/v1"),
        ("https://x.example/v1/models", "https://x.example/v1"),
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("http://ollama:11434/v1", "http://ollama:11434/v1"),
        ("http://192.168.1.5:1234/v1", "http://192.168.1.5:1234/v1"),
        ("http://100.101.102.103:1234/v1", "http://100.101.102.103:1234/v1"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
    ],
)
def test_addresses_are_brought_into_one_spelling(typed: str, kept: str) -> None:
    assert checked_base_url(typed, has_key=True) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "", "api.openai.com/v1", "ftp://x.example/v1", "file:///etc/passwd", "https://",
        "javascript:alert(1)", "https://user:password@x.example/v1", "https://@x.example/v1",
        "https://x.example/v1?key=1", "https://x.example/v1#part", "https://x.example:99999/v1",
        "https://x.example:port/v1", "https://x exam.ple/v1", "https://x.example/\x00v1",
        "https://x.example/\nv1", "https://[::1/v1", "https://169.254.169.254/v1",
        "http://[fe80::1]/v1", "http://0.0.0.0/v1", "http://[::]/v1",
        "http://[::ffff:169.254.169.254]/v1", "http://[64:ff9b::a9fe:a9fe]/v1",
        "http://[2002:a9fe:a9fe::]/v1", "http://224.0.0.1/v1", "http://2130706433/v1",
        "http://0x7f.1/v1", "http://127.1/v1", "https://x.example/" + "a" * 300,
    ],
)  # fmt: skip
def test_what_is_no_model_servers_address_is_refused(typed: str) -> None:
    with pytest.raises(BadAddress):
        checked_base_url(typed, has_key=False)


def test_a_key_does_not_travel_unprotected() -> None:
    with pytest.raises(BadAddress, match="https://"):
        checked_base_url("http://api.example.com/v1", has_key=True)
    assert checked_base_url("http://api.example.com/v1", has_key=False)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.1.2.3", True),
        ("192.168.0.9", True), ("172.16.0.1", True), ("100.64.0.1", True), ("fd00::1", True),
        ("ollama", True), ("nas.local", True), ("box.lan", True), ("a.internal.", True),
        ("8.8.8.8", False), ("api.openai.com", False), ("local.example.com", False),
        ("172.32.0.1", False), ("2606:4700::1", False),
    ],
)  # fmt: skip
def test_ones_own_machines_are_known_by_their_names(host: str, local: bool) -> None:
    assert is_local_host(host) is local
    shown = f"[{host}]" if ":" in host else host
    assert is_local_url(f"http://{shown}:11434/v1") is local


@pytest.mark.parametrize(
    ("address", "allowed", "in_tests"),
    [
        ("127.0.0.1", True, True), ("::1", True, True), ("::ffff:127.0.0.1", True, True),
        ("192.168.0.9", True, False), ("8.8.8.8", True, False), ("100.64.0.1", True, False),
        ("169.254.169.254", False, False), ("fe80::1", False, False),
        ("0.0.0.0", False, False),  # noqa: S104  (nothing is bound)
        ("::ffff:169.254.169.254", False, False), ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::", False, False), ("240.0.0.1", False, False),
        ("255.255.255.255", False, False), ("ff02::1", False, False),
    ],
)  # fmt: skip
def test_where_a_connection_may_go(address: str, allowed: bool, in_tests: bool) -> None:
    found = ipaddress.ip_address(address)
    assert is_allowed_address(found, only_loopback=False) is allowed
    assert is_allowed_address(found, only_loopback=True) is in_tests


def test_a_key_is_bound_to_scheme_host_and_port() -> None:
    assert origin("https://x.example/v1") == origin("https://X.example:443/v2")
    assert len({
        origin(url)
        for url in ("https://x.example", "http://x.example", "https://x.example:8443",
                    "https://y.example")
    }) == 4  # fmt: skip
