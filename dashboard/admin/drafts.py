"""The admin's tables about what agents want to do."""

from __future__ import annotations

from agentapp.drafts.models import Draft, DraftRevision, Outbound, ReplyOffer
from dashboard.admin.reading import register

register(Draft, DraftRevision, Outbound, ReplyOffer)
