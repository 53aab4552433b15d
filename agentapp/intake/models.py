"""The durable work queue."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import COVERED, Record
from agentapp.identity.models import Agent, Room, Workspace


class Lane(Record):
    """One agent in one room: what still has to be decided there.

    Due while `wanted_through` is ahead of `decided_through`. A claim raises `fence` and
    `attempts`; every later write of that work names the fence it was claimed with.
    """

    scope_path: ClassVar[str] = "agent"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, **COVERED)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="lanes", **COVERED)
    room = models.ForeignKey(
        Room, on_delete=models.CASCADE, related_name="lanes", db_constraint=False
    )
    wanted_through = models.BigIntegerField(default=0)
    decided_through = models.BigIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "room"], name="lane_once"),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(wanted_through__gt=models.F("decided_through")),
                name="lane_due",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"lane {self.agent_id} in {self.room_id}"


class SpeakerClaim(Record):
    """Which agent took a message addressed to nobody; at most one may."""

    scope_path: ClassVar[str] = "agent"

    message_id = models.BigIntegerField(unique=True)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE)

    @override
    def __str__(self) -> str:
        return f"{self.agent_id} took {self.message_id}"
