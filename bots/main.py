"""The `bots` process: every platform that this build knows, in one event loop."""

from __future__ import annotations

import asyncio
import signal

from bots.bridge import Bridge
from bots.discord.client import DiscordConnector
from bots.discord.parse import PLATFORM as DISCORD
from bots.host import Host, Maker
from bots.local.client import PLATFORM as LOCAL
from bots.local.client import LocalConnector
from bots.matrix.client import MatrixConnector
from bots.matrix.ghosts.haunting import close_wires
from bots.matrix.ghosts.reader import ServiceReader
from bots.matrix.parse import PLATFORM as MATRIX
from bots.readers import ReaderMaker

MAKERS: dict[str, Maker] = {
    LOCAL: LocalConnector,
    MATRIX: MatrixConnector,
    DISCORD: DiscordConnector,
}
READERS: dict[str, ReaderMaker] = {MATRIX: ServiceReader}


async def serve() -> None:
    """Run all platforms until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    bridge = Bridge()
    try:
        await Host(makers=MAKERS, readers=READERS, bridge=bridge).run(stop)
    finally:
        await close_wires(bridge)
        bridge.close()
