"""The admin's tables about what was said."""

from __future__ import annotations

from agentapp.conversation.models import FeedItem, Message, Reaction
from dashboard.admin.reading import register

register(FeedItem, Message, Reaction)
