"""Tells workers that lanes are due. Only a hint: the sweep finds what a lost one leaves behind."""

from __future__ import annotations

import logging
import time
from functools import lru_cache

import redis
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

TASK = "agentapp.work_lanes"
FLAG = "greenroom.lanes"
FLAG_MS = 5_000  # a wake-up that was lost on its way holds back others no longer than this
TIMEOUT_SECONDS = 0.2
RETRY_AFTER_SECONDS = 2.0


class _Pause:
    """Until when the broker is left alone after it did not answer."""

    until = 0.0  # time.monotonic()


def lanes_due() -> None:
    """Wake a worker once the surrounding transaction is committed."""
    transaction.on_commit(wake)


def wake() -> None:
    """Ask for one look at the lanes, unless one is asked for already.

    Never raises; without a broker it costs at most `TIMEOUT_SECONDS` once in a while.
    """
    if time.monotonic() < _Pause.until:
        return
    try:
        if _client().set(FLAG, 1, nx=True, px=FLAG_MS):
            current_app.send_task(TASK, retry=False, ignore_result=True)
    except (redis.RedisError, OperationalError) as error:
        _Pause.until = time.monotonic() + RETRY_AFTER_SECONDS
        logger.warning("no wake-up could be sent, the sweep will find it: %s", type(error).__name__)


def answered() -> None:
    """Let the next wake-up through; call before looking, so that nothing falls in between."""
    try:
        _client().delete(FLAG)
    except redis.RedisError as error:
        logger.warning("the wake-up flag stays for a moment: %s", type(error).__name__)


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    )
