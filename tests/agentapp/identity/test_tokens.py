from __future__ import annotations

import re
from datetime import timedelta

import pytest

from agentapp.foundation import clock
from agentapp.foundation.errors import Invalid, NotFound, Refused
from agentapp.foundation.redaction import redacted
from agentapp.identity.models import ApiToken
from agentapp.identity.services import make_api_token, revoke_api_token, token_user
from tests.town import Town


def test_a_token_opens_its_users_door_and_is_stored_hashed(town: Town) -> None:
    row, text = make_api_token(user=town.olga, name="script", scopes=["read"])

    found = token_user(token=text)
    assert found == row
    assert found is not None
    assert found.user == town.olga
    assert re.fullmatch(r"grm_[0-9a-f]{32}_[A-Za-z0-9_-]{43}", text)
    stored = ApiToken.objects.values().get()
    assert text not in str(stored)
    assert text.split("_", 2)[2] not in str(stored)
    assert row.hint == text[-4:]


def test_a_token_in_a_log_line_is_hidden(town: Town) -> None:
    _, text = make_api_token(user=town.olga, name="script", scopes=["read"])

    assert redacted(f"Authorization: {text}") == "Authorization: [hidden]"


def test_a_revoked_token_is_dead_at_once(town: Town) -> None:
    row, text = make_api_token(user=town.olga, name="script", scopes=["read"])

    revoke_api_token(token_id=row.pk, by=town.olga)

    assert token_user(token=text) is None


def test_a_token_ends_at_its_time(town: Town) -> None:
    _, text = make_api_token(
        user=town.olga,
        name="script",
        scopes=["read"],
        expires_at=clock.now() - timedelta(seconds=1),
    )

    assert token_user(token=text) is None


def test_a_user_who_may_not_log_in_has_no_token(town: Town) -> None:
    _, text = make_api_token(user=town.olga, name="script", scopes=["read"])
    town.olga.is_active = False
    town.olga.save()

    assert token_user(token=text) is None


@pytest.mark.parametrize(
    "wrong", ["", "grm_", "grm__", "grm_x_y", "Bearer", "grm_\x00_a", "é" * 50, "a" * 10_000]
)
def test_nonsense_opens_nothing(db: None, wrong: str) -> None:
    assert token_user(token=wrong) is None


def test_the_right_id_with_a_wrong_secret_opens_nothing(town: Town) -> None:
    _, text = make_api_token(user=town.olga, name="script", scopes=["read"])

    assert token_user(token=text[:-1] + ("A" if text[-1] != "A" else "B")) is None


def test_a_busy_token_is_noted_once_a_minute(town: Town) -> None:
    row, text = make_api_token(user=town.olga, name="script", scopes=["read"])
    token_user(token=text)
    row.refresh_from_db()
    noted = row.last_used_at
    assert noted is not None

    token_user(token=text)
    row.refresh_from_db()
    assert row.last_used_at == noted

    ApiToken.objects.update(last_used_at=noted - timedelta(minutes=2))
    token_user(token=text)
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_at >= noted


def test_nobody_gets_more_than_their_own(town: Town) -> None:
    row, text = make_api_token(user=town.olga, name="script", scopes=["read"])

    with pytest.raises(Refused):
        make_api_token(user=town.olga, name="script", scopes=["admin"])
    with pytest.raises(Invalid):
        make_api_token(user=town.olga, name="", scopes=["read"])
    with pytest.raises(NotFound):
        revoke_api_token(token_id=row.pk, by=town.otto)
    assert token_user(token=text) == row
