"""The one subscription of a web process to live hints."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from typing import Any

import redis.asyncio
from django.conf import settings

from agentapp.foundation.live import CHANNEL

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
LISTEN_SECONDS = 5.0


async def hints() -> AsyncGenerator[dict[str, Any] | None, None]:
    """Yield hints as they come; first of all None, once the subscription stands.

    Raises:
        RedisError, OSError: The server is gone. What it would have said until the next call is
            lost.
    """
    client = redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=CONNECT_SECONDS + LISTEN_SECONDS,
        health_check_interval=10,
    )
    async with client, client.pubsub(ignore_subscribe_messages=True) as subscription:
        await subscription.subscribe(CHANNEL)
        yield None
        while True:
            message = await subscription.get_message(timeout=LISTEN_SECONDS)
            if message is None:
                continue
            hint = _decoded(message["data"])
            if hint is not None:
                yield hint


def _decoded(data: bytes) -> dict[str, Any] | None:
    try:
        hint = json.loads(data)
    except ValueError:
        logger.warning("live: a hint of %d bytes cannot be read", len(data))
        return None
    return hint if isinstance(hint, dict) else None
