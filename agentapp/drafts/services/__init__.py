"""Everything that changes a draft before it is on the wire."""

from __future__ import annotations

from agentapp.drafts.services.bulk import BulkResult, bulk
from agentapp.drafts.services.carrying import attach, detach
from agentapp.drafts.services.correcting import correct
from agentapp.drafts.services.deciding import approve, edit, reject, retract, snooze, undo
from agentapp.drafts.services.ending import (
    block_login,
    block_open,
    expire_due,
    warn_expiring,
    withdraw_stale,
    withdraw_to,
)
from agentapp.drafts.services.proposing import propose, propose_all, propose_by_hand
from agentapp.drafts.services.wishes import Wish

__all__ = [
    "BulkResult",
    "Wish",
    "approve",
    "attach",
    "block_login",
    "block_open",
    "bulk",
    "correct",
    "detach",
    "edit",
    "expire_due",
    "propose",
    "propose_all",
    "propose_by_hand",
    "reject",
    "retract",
    "snooze",
    "undo",
    "warn_expiring",
    "withdraw_stale",
    "withdraw_to",
]
