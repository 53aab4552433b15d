"""Reading notes to users."""

from __future__ import annotations

from django.db.models import QuerySet

from agentapp.identity.models import User
from agentapp.notifications.models import Notification


def unread(user: User) -> QuerySet[Notification]:
    """Return a user's unread notes, newest first."""
    return Notification.objects.filter(user=user, read_at__isnull=True).order_by("-id")
