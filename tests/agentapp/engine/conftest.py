"""The stage, rolled back or really committed, with or without a model server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.agentapp.engine.stage import Stage
from tests.cast import Cast
from tests.fakes.connecting import connect
from tests.fakes.model_server import ModelServer


@pytest.fixture(autouse=True)
def only_loopback(settings: Settings) -> None:
    settings.LLM_ALLOW_REQUESTS = False


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def stage(cast: Cast) -> Stage:
    """The lounge, rolled back after the test; no model is connected."""
    return Stage(cast)


@pytest.fixture
def live(live_cast: Cast, server: ModelServer) -> Stage:
    """The lounge, really committed, with a model server that answers."""
    connect(live_cast.workspace, server)
    return Stage(live_cast, server)
