"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.signals import setting_changed
from django.dispatch import receiver

from agentapp.foundation import broker
from tests.cast import Cast, make_cast

# Named here because fixtures of a plugin loaded early lose against pytest-django's own.
from tests.services import django_db_setup

__all__ = ["cast", "django_db_setup", "live_cast"]

# Whole hosts, browsers and homeservers: begun first, so that no process is left alone with one.
LONG = ("flows", "faults", "bots/matrix", "bots/discord", "agentapp/management")
_TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first; otherwise they are in their own order."""

    def turn(item: pytest.Item) -> int:
        path = str(item.path.relative_to(_TESTS))
        return next((n for n, name in enumerate(LONG) if path.startswith(name)), len(LONG))

    items.sort(key=turn)


@pytest.fixture
def cast(db: None) -> Cast:
    """The cast, rolled back after the test."""
    return make_cast()


@pytest.fixture
def live_cast(transactional_db: None) -> Cast:
    """The cast, really committed, for tests with several connections."""
    return make_cast()


@receiver(setting_changed)
def forget_the_broker(*, setting: str, **kwargs: Any) -> None:
    """Let no client outlive the address it was made for: each process keeps one by design."""
    if setting == "REDIS_URL":
        broker.forget()
