"""Hears from Postgres that something was queued, on a connection of its own."""

from __future__ import annotations

import asyncio
import logging

import psycopg

from agentapp.drafts.outbox import WAKE_CHANNEL
from agentapp.foundation.database import own_conninfo

logger = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


async def hear_wake_ups(wake: asyncio.Event) -> None:
    """Set `wake` whenever something is queued, for ever.

    A lost connection is made again; as nobody knows what was missed meanwhile, that wakes too.
    """
    failures = 0
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                own_conninfo(), autocommit=True
            ) as session:
                await session.execute(f"LISTEN {WAKE_CHANNEL}")
                failures = 0
                wake.set()
                async for _ in session.notifies():
                    wake.set()
        except psycopg.Error as error:
            logger.warning("wake-ups are off for a moment: %s", type(error).__name__)
        await asyncio.sleep(BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS) - 1)])
        failures += 1
