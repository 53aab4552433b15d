"""The admin's tables about who is present."""

from __future__ import annotations

from agentapp.presence.models import Doorway, Membership
from dashboard.admin.reading import register

register(Doorway, Membership)
