"""What was asked of tools."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Workspace
from agentapp.turns.models import Turn


class ToolCall(Record):
    """One use of a tool by one thought, with what came of it."""

    scope_path: ClassVar[str] = "turn__agent"

    class Status(models.TextChoices):
        DONE = "done"
        REFUSED = "refused", "unknown, not granted, or wrongly asked"
        FAILED = "failed"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, related_name="tool_calls")
    step = models.PositiveSmallIntegerField(help_text="which answer of the model asked for it")
    ordinal = models.PositiveSmallIntegerField(help_text="which of that answer's requests")
    name = models.CharField(max_length=120)
    arguments = models.TextField(blank=True, help_text="JSON as the model wrote it")
    status = models.CharField(max_length=8, choices=Status)
    result = models.TextField(blank=True, help_text="as the model was told")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["turn", "step", "ordinal"], name="tool_call_once_per_request"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.name}: {self.status}"
