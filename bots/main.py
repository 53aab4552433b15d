"""The `bots` process: every platform this build knows, in one event loop."""

from __future__ import annotations

import asyncio
import signal

from bots.bridge import Bridge
from bots.host import Host
from bots.local.client import PLATFORM as LOCAL
from bots.local.client import LocalConnector


async def serve() -> None:
    """Serve all platforms until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    bridge = Bridge()
    await Host(connectors={LOCAL: LocalConnector(bridge)}, bridge=bridge).run(stop)
    bridge.close()
