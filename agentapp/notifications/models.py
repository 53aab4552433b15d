"""What a user should be told."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import User, Workspace


class Notification(Record):
    """A note to one user about one thing; shown on the dashboard."""

    scope_path: ClassVar[str] = "user"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=40)
    subject_kind = models.CharField(max_length=20)
    subject_id = models.BigIntegerField()
    text = models.CharField(max_length=300)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    subject_kind__in=["draft", "agent", "room", "budget", "provider", "turn"]
                ),
                name="notification_subject_kind",
            ),
            models.UniqueConstraint(
                fields=["user", "kind", "subject_kind", "subject_id"], name="notification_once"
            ),
        ]
        indexes = [models.Index(fields=["user", "-id"], name="notification_user")]

    @override
    def __str__(self) -> str:
        return self.text
