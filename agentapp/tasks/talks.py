"""Goes over talks that have ended."""

from __future__ import annotations

from celery import shared_task

from agentapp.foundation.database import fresh_connection
from agentapp.memory import talks


@shared_task(name="agentapp.tick_talks")
def tick_talks() -> int:
    """Every 5 minutes: note what ended talks were about, and what people told of themselves."""
    with fresh_connection():
        return talks.close_due()
