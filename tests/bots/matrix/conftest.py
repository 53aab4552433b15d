"""The homeserver of the Matrix tests, and people on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from tests.fakes.synapse import Synapse


@pytest.fixture(scope="session")
def one_synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    """One homeserver for the whole run of this process, started by the first test that asks."""
    server = Synapse(tmp_path_factory.mktemp("synapse"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def synapse(one_synapse: Synapse) -> Iterator[Synapse]:
    """The homeserver, on an address that this host may talk to."""
    with override_settings(MATRIX_ALLOW_PRIVATE=True):
        yield one_synapse
