"""Reward signals."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Agent, Workspace


class Feedback(Record):
    """A reward on something an agent did. Written by whoever observed it; never edited."""

    scope_path: ClassVar[str] = "agent"

    class Target(models.TextChoices):
        TURN = "turn"
        DRAFT = "draft"
        MESSAGE = "message"
        MEMBERSHIP = "membership"
        MODERATION = "moderation"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="feedback")
    target_kind = models.CharField(max_length=16, choices=Target)
    target_id = models.BigIntegerField()
    source = models.CharField(max_length=40, help_text="such as draft.approved")
    value = models.FloatField(help_text="-2 to 1")
    note = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(value__gte=-2, value__lte=1), name="feedback_value_in_range"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    target_kind__in=["turn", "draft", "message", "membership", "moderation"]
                ),
                name="feedback_target_kind",
            ),
            models.UniqueConstraint(
                fields=["target_kind", "target_id", "source"], name="feedback_once"
            ),
        ]
        indexes = [models.Index(fields=["agent", "-id"], name="feedback_agent")]

    @override
    def __str__(self) -> str:
        return f"{self.value:+} {self.source}"
