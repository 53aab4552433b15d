"""Watches over what models cost."""

from __future__ import annotations

from celery import shared_task

from agentapp.foundation.database import fresh_connection
from agentapp.llm import watchdog
from agentapp.notifications import alerts


@shared_task(name="agentapp.tick_gateway")
def tick_gateway() -> int:
    """Every 30 seconds: settle model calls whose worker died; tell owners about money."""
    with fresh_connection():
        return watchdog.settle_lost() + alerts.tell_owners()
