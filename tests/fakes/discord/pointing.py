"""How discord.py is pointed at another host: the one place that knows.

The library has no setting for it. It reads two class attributes, which hold for every client of
the process, so they have to be set before the first login:

- `discord.http.Route.BASE`: what stands before every path of the REST API.
- `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`: where a plain `Client` connects; it never
  asks `GET /gateway/bot`. On resuming it goes where READY's `resume_gateway_url` says, so a fake
  has to send its own address there.

Links to attachments are whole in what the API answers, so they need no third attribute.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import yarl

from discord.gateway import DiscordWebSocket
from discord.http import Route


@contextmanager
def pointed_at(api_url: str, gateway_url: str) -> Iterator[None]:
    """Send every client of this process there, and back to Discord afterwards."""
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = api_url, yarl.URL(gateway_url)
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before
