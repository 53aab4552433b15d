"""Ends what holds agents back."""

from __future__ import annotations

from celery import shared_task

from agentapp.foundation.database import fresh_connection
from agentapp.moderation import rooms
from agentapp.moderation import services as moderation


@shared_task(name="agentapp.tick_safety")
def tick_safety() -> int:
    """Every minute: write the end of suspensions and mutes that have run out."""
    with fresh_connection():
        return moderation.expire_due() + rooms.expire_due()
