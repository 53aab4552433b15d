"""Completes memories."""

from __future__ import annotations

from celery import shared_task

from agentapp.foundation.database import fresh_connection
from agentapp.memory import indexing, upkeep


@shared_task(name="agentapp.tick_memory")
def tick_memory() -> int:
    """Every 30 seconds: embed what could not be embedded at once; move to a new model."""
    with fresh_connection():
        return indexing.complete_pending() + indexing.move_all()


@shared_task(name="agentapp.tick_memory_upkeep")
def tick_memory_upkeep() -> int:
    """Every night: consolidate, promote, prune and trim what is remembered."""
    with fresh_connection():
        return upkeep.keep_up()
