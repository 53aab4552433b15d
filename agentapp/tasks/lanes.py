"""Puts the crew on what is due."""

from __future__ import annotations

import logging
import threading

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from agentapp.engine.worker import crew, start_lanes
from agentapp.foundation.database import fresh_connection
from agentapp.intake import wakeups
from agentapp.llm.adapters import adapter_for
from agentapp.memory.embeddings import EmbeddingUnavailable, embed

logger = logging.getLogger(__name__)


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


@worker_ready.connect
def warm_up(**_details: object) -> None:
    """Load what the first answer needs beside the work, so that nobody waits for it."""
    threading.Thread(target=_load, name="warm-up", daemon=True).start()


def _load() -> None:
    adapter_for("openai")
    try:
        embed(["warm up"])
    except EmbeddingUnavailable as error:
        logger.warning("agents remember and recall nothing for now: %s", error)
