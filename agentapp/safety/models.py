"""What holds an agent back, and what was found in a text."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Agent, Workspace


class SafetyState(Record):
    """The stop flags of the whole host, one workspace or one agent.

    `epoch` rises with every stop; work that began under an older epoch may not publish.
    """

    scope_path: ClassVar[str] = "agent"

    class Scope(models.TextChoices):
        HOST = "host"
        WORKSPACE = "workspace"
        AGENT = "agent"

    scope = models.CharField(max_length=10, choices=Scope)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, null=True, blank=True)
    agent = models.OneToOneField(
        Agent, on_delete=models.CASCADE, null=True, blank=True, related_name="safety"
    )
    is_stopped = models.BooleanField(default=False, help_text="kill switch, or a suspension")
    suspended_until = models.DateTimeField(
        null=True, blank=True, help_text="null while stopped means open-ended"
    )
    muted_until = models.DateTimeField(null=True, blank=True)
    restricted = models.JSONField(default=list, blank=True, help_text="draft kinds held back")
    epoch = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scope="host", workspace__isnull=True, agent__isnull=True)
                | models.Q(scope="workspace", workspace__isnull=False, agent__isnull=True)
                | models.Q(scope="agent", workspace__isnull=False, agent__isnull=False),
                name="safety_scope_fits",
            ),
            models.UniqueConstraint(
                fields=["scope"], condition=models.Q(scope="host"), name="safety_one_host"
            ),
            models.UniqueConstraint(
                fields=["workspace"],
                condition=models.Q(scope="workspace"),
                name="safety_one_per_workspace",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.scope} {'stopped' if self.is_stopped else 'free'}"


class PolicyRule(Record):
    """A phrase that must not leave an agent, or only with its owner's approval."""

    scope_path: ClassVar[str] = "workspace"

    class Effect(models.TextChoices):
        BLOCK = "block"
        ASK = "ask"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, null=True, blank=True)
    phrase = models.CharField(max_length=200)
    effect = models.CharField(max_length=8, choices=Effect, default=Effect.BLOCK)

    @override
    def __str__(self) -> str:
        return f"{self.effect} {self.phrase!r}"


class Finding(Record):
    """Something the screen saw in a text that was about to leave."""

    scope_path: ClassVar[str] = "agent"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="findings")
    target_kind = models.CharField(max_length=16)
    target_id = models.BigIntegerField()
    rule = models.CharField(max_length=40)
    effect = models.CharField(max_length=8, choices=PolicyRule.Effect)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(target_kind__in=["draft", "message", "turn"]),
                name="finding_target_kind",
            ),
        ]
        indexes = [models.Index(fields=["target_kind", "target_id"], name="finding_target")]

    @override
    def __str__(self) -> str:
        return f"{self.rule} on {self.target_kind}:{self.target_id}"
