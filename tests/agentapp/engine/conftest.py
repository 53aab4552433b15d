"""The stage, rolled back or really committed, with or without a model server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.agentapp.engine.stage import Stage
from tests.cast import Cast
from tests.fakes.connecting import connect
from tests.fakes.model_server import Behaviour, ModelServer


@pytest.fixture(scope="session")
def running_server() -> Iterator[ModelServer]:
    """One server for all tests: the gateway keeps a client for every address it ever asked."""
    with ModelServer() as running:
        yield running


@pytest.fixture
def server(running_server: ModelServer) -> ModelServer:
    """The server as new."""
    running_server.requests = []
    running_server.always(Behaviour())
    running_server.reply = lambda _body: "You said something kind."
    return running_server


@pytest.fixture
def stage(cast: Cast) -> Stage:
    """The lounge, rolled back after the test; no model is connected."""
    return Stage(cast)


@pytest.fixture
def live(live_cast: Cast, server: ModelServer) -> Stage:
    """The lounge, really committed, with a model server that answers."""
    connect(live_cast.workspace, server)
    return Stage(live_cast, server)
