"""The admin's tables about what agents want to do."""

from __future__ import annotations

from agentapp.drafts.models import Draft, DraftFile, DraftRevision, Outbound, ReplyOffer
from dashboard.admin.reading import register

register(Draft, DraftFile, DraftRevision, Outbound, ReplyOffer)
