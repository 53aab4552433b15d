"""The homeserver of the Matrix tests, and people on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connection
from django.test import override_settings
from django.test.testcases import LiveServerThread

from tests.bots.matrix import ghosts
from tests.bots.matrix.ghosts import WAYS, registered
from tests.cast import Cast
from tests.fakes.synapse import Synapse


@pytest.fixture(scope="session")
def own_web() -> Iterator[str]:
    """This host's web server, where a homeserver hands over to an application service."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    server = LiveServerThread("127.0.0.1", StaticFilesHandler, port=0)
    server.daemon = True
    server.start()
    server.is_ready.wait()
    assert server.error is None
    yield f"http://127.0.0.1:{server.port}"
    server.terminate()


@pytest.fixture(scope="session")
def one_synapse(tmp_path_factory: pytest.TempPathFactory, own_web: str) -> Iterator[Synapse]:
    """One homeserver for the whole run of this process, started by the first test that asks.

    It knows an application service of this host; see `ghosts.haunt`.
    """
    folder = tmp_path_factory.mktemp("synapse")
    server = Synapse(folder, registrations=[registered(folder, own_web)])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def synapse(one_synapse: Synapse) -> Iterator[Synapse]:
    """The homeserver, on an address that this host may talk to."""
    with override_settings(MATRIX_ALLOW_PRIVATE=True):
        yield one_synapse


@pytest.fixture(params=WAYS)
def each_way(
    request: pytest.FixtureRequest,
    synapse: Synapse,
    live_cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Let agents have users of their own on the homeserver, and those of a service, in turn."""
    monkeypatch.setattr(ghosts, "way", request.param)
    if request.param == "ghost":
        ghosts.haunt(live_cast, synapse)


@pytest.fixture
def clock_as_it_was(live_cast: Cast) -> Iterator[None]:
    """Let the database's clock be right again after a test that moved it."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("UPDATE greenroom_clock SET shift = '0'")
