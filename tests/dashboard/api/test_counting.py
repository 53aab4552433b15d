"""Calls with one token are counted; without the broker each process counts for itself."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client, override_settings

from agentapp.foundation import broker
from agentapp.identity.services.tokens import make_api_token
from dashboard.api import callers
from tests.cast import Cast

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "CALLS_A_MINUTE", 3)


def statuses(cast: Cast, count: int) -> list[int]:
    _, token = make_api_token(user=cast.sam, name="test", scopes=["read"])
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    return [Client().get("/api/v1/rooms", **headers).status_code for _ in range(count)]


def test_one_token_may_call_so_often_and_no_more(cast: Cast, few: None) -> None:
    assert statuses(cast, 5) == [200, 200, 200, 429, 429]
    cache.clear()


def test_without_the_broker_the_api_works_and_still_counts(cast: Cast, few: None) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    address = {"default": {"BACKEND": backend, "LOCATION": NOBODY}}
    with override_settings(CACHES=address, REDIS_URL=NOBODY):
        assert statuses(cast, 5) == [200, 200, 200, 429, 429]
        assert broker.is_resting()
