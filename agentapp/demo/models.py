"""The demo room's state."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Room, User, Workspace


class DemoRun(Record):
    """One user's demo: where its script stands and when somebody last watched."""

    scope_path: ClassVar[str] = "user"

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="demo")
    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="demo")
    room = models.ForeignKey(Room, on_delete=models.CASCADE, null=True)
    line = models.PositiveIntegerField(default=0)
    messages = models.PositiveIntegerField(default=0)
    watched_at = models.DateTimeField(null=True)
    next_line_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    stop_reason = models.CharField(max_length=60, blank=True)

    @override
    def __str__(self) -> str:
        return f"demo of {self.user_id}"
