from __future__ import annotations

import pytest

from agentapp.foundation.redaction import HIDDEN, redacted
from agentapp.foundation.secrets import KeysMissing, SecretUnreadable, seal, unseal

PLACE = {"table": "provider", "pk": 1, "column": "key"}
OLD_KEY = "k1:" + "A" * 43 + "="
NEW_KEY = "k2:" + "B" * 43 + "="


@pytest.fixture(autouse=True)
def keys(settings: object) -> None:
    settings.GREENROOM_KEYS = OLD_KEY  # type: ignore[attr-defined]


def test_a_sealed_secret_opens_in_its_own_place_only() -> None:
    sealed = seal(**PLACE, text="sk-secret")

    assert "sk-secret" not in sealed
    assert unseal(**PLACE, sealed=sealed) == "sk-secret"
    for other in ({"pk": 2}, {"table": "account"}, {"column": "hint"}):
        with pytest.raises(SecretUnreadable):
            unseal(**{**PLACE, **other}, sealed=sealed)  # type: ignore[arg-type]


def test_a_changed_secret_does_not_open() -> None:
    sealed = seal(**PLACE, text="sk-secret")
    changed = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]

    with pytest.raises(SecretUnreadable):
        unseal(**PLACE, sealed=changed)


def test_old_secrets_open_after_the_key_was_changed(settings: object) -> None:
    sealed = seal(**PLACE, text="sk-secret")
    settings.GREENROOM_KEYS = f"{NEW_KEY},{OLD_KEY}"  # type: ignore[attr-defined]

    assert unseal(**PLACE, sealed=sealed) == "sk-secret"
    assert seal(**PLACE, text="x").startswith("k2.")
    settings.GREENROOM_KEYS = NEW_KEY  # type: ignore[attr-defined]
    with pytest.raises(SecretUnreadable):
        unseal(**PLACE, sealed=sealed)


@pytest.mark.parametrize("value", ["", "k1:short", "k1:not base64!"])
def test_unusable_keys_say_so(settings: object, value: str) -> None:
    settings.GREENROOM_KEYS = value  # type: ignore[attr-defined]
    with pytest.raises(KeysMissing):
        seal(**PLACE, text="x")


@pytest.mark.parametrize(
    "line",
    [
        "key sk-proj-abcdefghijklmnop",
        "token grm_01ab_abcdefghijklmnopqrstuvwx",
        "Authorization: Bearer abcdefghijkl",
        "GET /start/abcdefghijklmnopqrstuvwxyz0123",
        "syt_YWxpY2U_abcdefghijkl_0aBcDe",
    ],
)
def test_credentials_do_not_reach_the_log(line: str) -> None:
    assert HIDDEN in redacted(line)
