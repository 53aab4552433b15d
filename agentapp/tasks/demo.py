"""Moves the demo."""

from __future__ import annotations

from celery import shared_task

from agentapp.demo import runner
from agentapp.foundation.database import fresh_connection


@shared_task(name="agentapp.tick_demo")
def tick_demo() -> int:
    """Every 2 seconds: move the demo rooms that somebody watches."""
    with fresh_connection():
        return runner.tick()
