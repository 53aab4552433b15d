"""How much one caller may ask, counted where all web processes see it."""

from __future__ import annotations

import logging
import math
from functools import lru_cache

import redis
from django.conf import settings

from dashboard.api.problems import TooManyRequests

logger = logging.getLogger(__name__)

REQUESTS = 600  # per window and caller
WINDOW_SECONDS = 60
TIMEOUT_SECONDS = 0.2
PREFIX = "greenroom.api.rate"


def count(ref: str) -> None:
    """Count one request of a caller.

    Without the broker nothing is counted: a limit protects, it is not what makes the API work.

    Raises:
        TooManyRequests: More than `REQUESTS` since the window began.
    """
    key = f"{PREFIX}:{ref}"
    try:
        with _client().pipeline(transaction=False) as pipe:
            pipe.incr(key)
            pipe.expire(key, WINDOW_SECONDS, nx=True)
            pipe.pttl(key)
            used, _, left_ms = pipe.execute()
    except redis.RedisError as error:
        logger.warning("requests are not counted: %s", type(error).__name__)
        return
    if used > REQUESTS:
        raise TooManyRequests(retry_after=max(1, math.ceil(left_ms / 1000)))


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    )
