"""The way onto a platform: the last check, the claim, and what became of it."""

from __future__ import annotations

from agentapp.drafts.publication.claiming import claim_due
from agentapp.drafts.publication.settling import (
    Sent,
    mark_all_sent,
    mark_failed,
    mark_sent,
)
from agentapp.drafts.publication.unknown import (
    mark_unknown,
    reclaim_lost,
    resolve_unknown,
    unknown_due,
)

__all__ = [
    "Sent",
    "claim_due",
    "mark_all_sent",
    "mark_failed",
    "mark_sent",
    "mark_unknown",
    "reclaim_lost",
    "resolve_unknown",
    "unknown_due",
]
