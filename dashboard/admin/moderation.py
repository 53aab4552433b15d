"""The admin's tables about what moderators did."""

from __future__ import annotations

from agentapp.moderation.models import ModerationAction
from dashboard.admin.reading import register

register(ModerationAction)
