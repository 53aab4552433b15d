"""The admin's tables about notes to users."""

from __future__ import annotations

from agentapp.notifications.models import Notification
from dashboard.admin.reading import register

register(Notification)
