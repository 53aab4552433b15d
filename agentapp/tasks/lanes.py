"""Puts the crew on what is due."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from agentapp.engine.listening import Listener
from agentapp.engine.worker import crew, start_lanes
from agentapp.foundation.database import fresh_connection
from agentapp.llm.adapters import adapter_for
from agentapp.memory.embeddings import EmbeddingUnavailable, embed

logger = logging.getLogger(__name__)


@shared_task(name="agentapp.tick_lanes")
def tick_lanes() -> int:
    """Every 5 seconds: find lanes whose wake-up was lost, and retries that are due."""
    with fresh_connection():
        return start_lanes()


@lru_cache(maxsize=1)
def _listener() -> Listener:
    return Listener(start_lanes)


@worker_ready.connect
def begin(**_details: object) -> None:
    """Listen for wake-ups, and load beside that what the first answer needs."""
    _listener().start()
    threading.Thread(target=_load, name="warm-up", daemon=True).start()


@worker_shutting_down.connect
def leave_lanes(**_details: object) -> None:
    """Give lanes back when this process is told to stop, so that the next one need not wait."""
    with fresh_connection():
        crew().close()
    _listener().end()


def _load() -> None:
    adapter_for("openai")
    try:
        embed(["warm up"])
    except EmbeddingUnavailable as error:
        logger.warning("agents remember and recall nothing for now: %s", error)
