"""What moderators did."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Agent, User, Workspace


class ModerationAction(Record):
    """A suspension, with who ordered it and how it ended."""

    scope_path: ClassVar[str] = "agent"

    class Kind(models.TextChoices):
        SUSPEND = "suspend"

    class State(models.TextChoices):
        ACTIVE = "active"
        LIFTED = "lifted"
        EXPIRED = "expired"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="moderation")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.SUSPEND)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=400, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent"],
                condition=models.Q(state="active"),
                name="moderation_one_active",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.agent_id}: {self.state}"
