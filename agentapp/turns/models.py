"""The record of a thought."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import COVERED, Record
from agentapp.identity.models import Agent, Person, Room, Workspace


class Turn(Record):
    """One thought of one agent: why, with what, at what price, to what end.

    Made by the engine for every decision, *ignore* included; a turn that asked a model ends in
    done, failed or dead.
    """

    scope_path: ClassVar[str] = "agent"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        DEAD = "dead"

    class Decision(models.TextChoices):
        RESPOND = "respond"
        REACT = "react"
        NOTICE = "notice", "feed only"
        IGNORE = "ignore"

    class Trigger(models.TextChoices):
        MESSAGE = "message"
        MANUAL = "manual"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, **COVERED)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="turns", **COVERED)
    room = models.ForeignKey(
        Room, on_delete=models.CASCADE, null=True, related_name="turns", **COVERED
    )
    person = models.ForeignKey(
        Person, on_delete=models.SET_NULL, null=True, blank=True, db_constraint=False
    )
    trigger_kind = models.CharField(max_length=16, choices=Trigger, default=Trigger.MESSAGE)
    trigger_id = models.BigIntegerField(null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    decision = models.CharField(max_length=10, choices=Decision)
    reasons = models.JSONField(default=list)
    addressed = models.BooleanField(default=False)
    context = models.JSONField(default=dict, help_text="ids of what was read, by block")
    taint = models.JSONField(default=list, help_text="origins of untrusted text that was read")
    outcome = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=400, blank=True)
    answer = models.TextField(blank=True)
    steps = models.PositiveSmallIntegerField(default=0)
    retries = models.PositiveSmallIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    latency_ms = models.PositiveIntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    epoch = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # One decision per message and agent, however often its lane is claimed.
            models.UniqueConstraint(
                fields=["agent", "trigger_kind", "trigger_id"], name="turn_once_per_trigger"
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "-id"], name="turn_agent"),
            models.Index(fields=["room", "-id"], name="turn_room"),
            # Caps are counted over what was spoken, however many turns ended in silence.
            models.Index(
                fields=["room", "created_at"],
                condition=models.Q(decision__in=["respond", "react"]),
                name="turn_spoken_when",
            ),
            models.Index(
                fields=["room", "trigger_id"],
                condition=models.Q(decision__in=["respond", "react"]),
                name="turn_spoken_after",
            ),
            models.Index(
                fields=["agent", "person", "created_at"],
                condition=models.Q(decision="respond"),
                name="turn_spoken_to",
            ),
            models.Index(
                fields=["room", "agent"],
                condition=models.Q(status__in=["queued", "running"]),
                name="turn_open",
            ),
            models.Index(
                fields=["created_at"],
                condition=models.Q(addressed=True, person__isnull=False),
                name="turn_addressed_when",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"turn {self.pk} {self.decision}"
