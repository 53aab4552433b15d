"""Hears from Postgres that something was queued, on a connection of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

import psycopg

from agentapp.foundation.database import own_conninfo

logger = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


async def hear_wake_ups(wakes: Mapping[str, Callable[[], None]]) -> None:
    """Wake those who wait on a channel whenever something is queued for them, for ever.

    A lost connection is made again; as nobody knows what was missed meanwhile, that wakes all.

    Args:
        wakes: What wakes them, by channel.
    """
    failures = 0
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                own_conninfo(), autocommit=True
            ) as session:
                for channel, wake in wakes.items():
                    await session.execute(f"LISTEN {channel}")
                    wake()
                failures = 0
                async for notice in session.notifies():
                    wakes[notice.channel]()
        except psycopg.Error as error:
            logger.warning("wake-ups are off for a moment: %s", type(error).__name__)
        await asyncio.sleep(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)])
        failures += 1
