"""Proposed outward acts and their way onto a platform."""

from __future__ import annotations

from agentapp.drafts.models.acts import (
    AgentDraftComment,
    AgentDraftPost,
    AgentDraftReaction,
    Draft,
    DraftRevision,
)
from agentapp.drafts.models.offers import ReplyOffer
from agentapp.drafts.models.pieces import DraftFile, Outbound

__all__ = [
    "AgentDraftComment",
    "AgentDraftPost",
    "AgentDraftReaction",
    "Draft",
    "DraftFile",
    "DraftRevision",
    "Outbound",
    "ReplyOffer",
]
