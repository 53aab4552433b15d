"""The connection to the broker. Everything sent through it is a hint, so it may fail.

Nothing here waits long: after a failure the broker is left alone for a moment, so that a burst of
changes does not wait for it again and again.
"""

from __future__ import annotations

import time
from functools import lru_cache

import redis
from django.conf import settings

TIMEOUT_SECONDS = 0.2
RETRY_AFTER_SECONDS = 2.0


class _Rest:
    """Until when the broker is left alone after it did not answer."""

    until = 0.0  # time.monotonic()


@lru_cache(maxsize=1)
def client() -> redis.Redis:
    """Return this process's client; it pools its connections and is safe for threads."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    )


def is_resting() -> bool:
    """Tell whether the broker failed a moment ago, so that a hint is better not tried."""
    return time.monotonic() < _Rest.until


def rest() -> None:
    """Leave the broker alone for `RETRY_AFTER_SECONDS`."""
    _Rest.until = time.monotonic() + RETRY_AFTER_SECONDS


def forget() -> None:
    """Drop the client and what is known of its health: the address has changed."""
    if client.cache_info().currsize:
        client().close()
    client.cache_clear()
    _Rest.until = 0.0
