"""Tells workers that lanes are due. Only a hint: the sweep finds what a lost one leaves behind."""

from __future__ import annotations

from django.db import transaction

from agentapp.foundation import faults
from agentapp.foundation.database import notify_on_commit

CHANNEL = "greenroom_lanes"


def lanes_due() -> None:
    """Wake the workers once the surrounding transaction is committed."""
    transaction.on_commit(lambda: faults.passing("intake.committed"))
    notify_on_commit(CHANNEL)
