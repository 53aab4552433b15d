"""Publishes live notices: hints that something changed, never the change itself.

A notice is a JSON object `{"t": topic, "id": id}`. Losing one costs nothing but time: pages also
read the Event table. Publishing never raises and never blocks longer than `TIMEOUT_SECONDS`.
"""

from __future__ import annotations

import json
import logging
import time
from functools import lru_cache

import redis
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)

CHANNEL = "greenroom.live"
TIMEOUT_SECONDS = 0.2
RETRY_AFTER_SECONDS = 2.0


class _Pause:
    """Remembers that the broker did not answer, so that a burst of changes does not wait for it."""

    until = 0.0


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    )


def publish(topic: str, **fields: object) -> None:
    """Send one notice now; used for what is not in the database (tokens, typing)."""
    if time.monotonic() < _Pause.until:
        return
    try:
        _client().publish(CHANNEL, json.dumps({"t": topic, **fields}))
    except redis.RedisError as error:
        _Pause.until = time.monotonic() + RETRY_AFTER_SECONDS
        logger.warning("live notices are off for a moment: %s", type(error).__name__)


def publish_on_commit(topic: str, row_id: int | str) -> None:
    """Send a notice once the surrounding transaction is committed."""
    transaction.on_commit(lambda: publish(topic, id=row_id))
