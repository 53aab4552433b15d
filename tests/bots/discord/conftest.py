"""The Discord of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from bots.discord import connection, gateway
from tests.fakes.discord import Discord
from tests.fakes.discord.contract import contract
from tests.fakes.discord.pointing import pointed_at


@pytest.fixture
def discord(monkeypatch: pytest.MonkeyPatch) -> Iterator[Discord]:
    """A Discord of the test's own, where this process's bots go, and which waits for nothing.

    Where Discord's own document is at hand, it has to allow everything that the fake accepted.
    """
    monkeypatch.setattr(gateway, "BETWEEN_SESSIONS", 0.0)
    monkeypatch.setattr(gateway, "READY_SECONDS", 0.05)
    monkeypatch.setattr(connection, "SETTLE_SECONDS", 0.02)
    monkeypatch.setattr(connection, "WATCH_SECONDS", 0.1)
    with (
        Discord() as server,
        pointed_at(server.api_url, server.gateway_url),
        override_settings(DISCORD_API=server.api_url, DISCORD_GATEWAY=server.gateway_url),
    ):
        yield server
        accepted = [seen for seen in server.requests if 200 <= seen.status < 300]
    judge = contract()
    if judge is not None:
        assert [wrong for seen in accepted for wrong in judge.wrong_with(seen)] == []
