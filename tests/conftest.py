"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import setting_changed
from django.dispatch import receiver

from agentapp.foundation import broker
from tests.cast import Cast, make_cast
from tests.rows import put_back

# Named here because fixtures of a plugin loaded early lose against pytest-django's own.
from tests.services import django_db_setup
from tests.sharing import Together

__all__ = ["cast", "django_db_setup", "live_cast"]

STORMS = ("faults/test_kills", "faults/test_more_kills")
# Whole hosts, browsers and homeservers: begun first, so that no process is left alone with one.
LONG = (*STORMS, "flows", "faults", "bots/matrix", "bots/discord", "agentapp/management")
BESIDE = 5  # niceness of all others: the storms have four minutes, whatever runs beside them
_TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first; otherwise they are in their own order."""

    def turn(item: pytest.Item) -> int:
        path = _path(item)
        return next((n for n, name in enumerate(LONG) if path.startswith(name)), len(LONG))

    items.sort(key=turn)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the storms, and what they start, go before everything else."""
    if not _path(item).startswith(STORMS):
        os.nice(max(BESIDE - os.nice(0), 0))


def _path(item: pytest.Item) -> str:
    return str(item.path.relative_to(_TESTS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """Hand out `--dist loadfile` as `Together` does."""
    return Together(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture
def cast(db: None) -> Cast:
    """The cast, rolled back after the test."""
    return put_back(make_cast)


@pytest.fixture
def live_cast(transactional_db: None) -> Cast:
    """The cast, really committed, for tests with several connections."""
    return put_back(make_cast)


@receiver(setting_changed)
def forget_the_broker(*, setting: str, **kwargs: Any) -> None:
    """Let no client outlive the address it was made for: each process keeps one by design."""
    if setting == "REDIS_URL":
        broker.forget()
