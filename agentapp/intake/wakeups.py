"""Tells workers that lanes are due. Only a hint: the sweep finds what a lost one leaves behind."""

from __future__ import annotations

import logging

import redis
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from agentapp.foundation import broker, faults

logger = logging.getLogger(__name__)

TASK = "agentapp.work_lanes"
FLAG = "greenroom.lanes"
FLAG_MS = 5_000  # a wake-up that was lost on its way holds back others no longer than this


def lanes_due() -> None:
    """Wake a worker once the surrounding transaction is committed."""
    transaction.on_commit(wake)


def wake() -> None:
    """Ask for one look at the lanes, unless one is asked for already.

    Never raises; without a broker it costs at most its timeout once in a while.
    """
    faults.passing("intake.committed")
    if broker.is_resting():
        return
    try:
        if broker.client().set(FLAG, 1, nx=True, px=FLAG_MS):
            current_app.send_task(TASK, retry=False, ignore_result=True)
    except (redis.RedisError, OperationalError) as error:
        broker.rest()
        logger.warning("no wake-up could be sent, the sweep will find it: %s", type(error).__name__)


def answered() -> None:
    """Let the next wake-up through; call before looking, so that nothing falls in between."""
    try:
        broker.client().delete(FLAG)
    except redis.RedisError as error:
        logger.warning("the wake-up flag stays for a moment: %s", type(error).__name__)
