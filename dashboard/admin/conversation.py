"""The admin's tables about what was said."""

from __future__ import annotations

from agentapp.conversation.models import Attachment, FeedItem, Message, Reaction
from dashboard.admin.reading import register

register(Attachment, FeedItem, Message, Reaction)
