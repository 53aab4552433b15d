"""Writes off the calls of workers that died."""

from __future__ import annotations

import logging

from agentapp.foundation.clock import GreenroomNow
from agentapp.llm.closing import lose
from agentapp.llm.models import Reservation

LIMIT = 500  # per tick; the rest is found by the next one

logger = logging.getLogger(__name__)


def settle_lost() -> int:
    """Settle every call whose lease has ended at the most it could have cost.

    A worker cannot say any more whether its server counted, so the ledger says the most: it may
    only ever be higher than the provider's bill. Running it twice changes nothing.

    Returns:
        How many calls were written off.
    """
    overdue = Reservation.objects.filter(
        state=Reservation.State.RESERVED, lease_until__lte=GreenroomNow()
    )
    call_ids = list(overdue.order_by("call_id").values_list("call_id", flat=True)[:LIMIT])
    lost = sum(lose(call_id) for call_id in dict.fromkeys(call_ids))
    if lost:
        logger.warning("%d model calls were lost with their workers", lost)
    return lost
