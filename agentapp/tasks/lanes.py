"""Puts the crew on what is due."""

from __future__ import annotations

from celery import shared_task
from celery.signals import worker_shutting_down

from agentapp.engine.worker import crew, start_lanes
from agentapp.foundation.database import fresh_connection
from agentapp.intake import wakeups


@shared_task(name=wakeups.TASK)
def wake_lanes() -> int:
    """On a wake-up: decide what is due, whatever it is."""
    wakeups.answered()
    with fresh_connection():
        return start_lanes()


@shared_task(name="agentapp.tick_lanes")
def tick_lanes() -> int:
    """Every 5 seconds: find lanes whose wake-up was lost, and retries that are due."""
    with fresh_connection():
        return start_lanes()


@worker_shutting_down.connect
def leave_lanes(**_details: object) -> None:
    """Give lanes back when this process is told to stop, so that the next one need not wait."""
    with fresh_connection():
        crew().close()
