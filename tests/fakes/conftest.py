"""Fixtures for the tests of the fakes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.discord import Discord
from tests.fakes.discord.contract import contract
from tests.fakes.discord.pointing import pointed_at


@pytest.fixture
def discord() -> Iterator[Discord]:
    """A Discord of the test's own, where every discord.py client of this process goes.

    Where Discord's own document is at hand, it has to allow everything that the fake accepted.
    """
    with Discord() as server, pointed_at(server.api_url, server.gateway_url):
        yield server
        accepted = [seen for seen in server.requests if 200 <= seen.status < 300]
    judge = contract()
    if judge is not None:
        assert [wrong for seen in accepted for wrong in judge.wrong_with(seen)] == []
