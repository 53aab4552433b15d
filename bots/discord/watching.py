"""Tells a connection that lives from one that only seems open, and ends one within bounds."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine
from typing import Any

import discord
from discord.gateway import KeepAliveHandler

from bots.discord.errors import NotReached, Silent
from bots.discord.gateway import Gateway, ack_age, beat_seconds

logger = logging.getLogger(__name__)

SILENT_SECONDS = 4 * 3600.0  # without any event, after which a connection is made anew
BEATS_MISSED = 2.5  # in heartbeats
CLOSE_SECONDS = 5.0  # for a goodbye; one that hangs is left behind


def check(client: Gateway) -> None:
    """Look at how a connection fares.

    Raises:
        Silent: It is open and hears nothing, or did not understand what it heard.
        NotReached: It breaks as fast as it is made.
    """
    if client.unable is not None:
        raise Silent("Something it said could not be read, so all is read again.")
    age = ack_age(client)
    if age is not None and age > BEATS_MISSED * beat_seconds(client):
        raise Silent
    if time.monotonic() - client.heard_at > SILENT_SECONDS:
        raise Silent
    if client.reconnects_too_often():
        raise NotReached("Discord breaks off as soon as it is reached.")


async def closed(client: discord.Client) -> None:
    """Close a client, within bounds: one that hangs is left behind."""
    task = asyncio.ensure_future(_quietly(client.close()))
    await asyncio.wait({task}, timeout=CLOSE_SECONDS)
    _end_heartbeats(client)


def _end_heartbeats(client: discord.Client) -> None:
    """End the threads of connections that broke before the library knew them as its own.

    They would go on beating, and Discord would take a bot for present that hears nothing.
    """
    for thread in threading.enumerate():
        if isinstance(thread, KeepAliveHandler) and thread.ws._connection is client._connection:
            thread.stop()


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception as error:  # noqa: BLE001  (it is over either way)
        logger.debug("a goodbye failed: %s", type(error).__name__)
