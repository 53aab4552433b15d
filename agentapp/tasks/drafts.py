"""Ends drafts that nobody decided on."""

from __future__ import annotations

from celery import shared_task

from agentapp.drafts import offers, publication
from agentapp.drafts import services as drafts
from agentapp.foundation.database import fresh_connection


@shared_task(name="agentapp.tick_drafts")
def tick_drafts() -> int:
    """Every minute: expire, warn, withdraw, offer; find pieces whose sender died."""
    with fresh_connection():
        ended = drafts.expire_due() + drafts.withdraw_stale()
        offers.tell_owners()
        return ended + drafts.warn_expiring() + publication.reclaim_lost()
