"""What is between an agent and a person, and where people want to be left alone."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import COVERED, Record
from agentapp.identity.models import Agent, Identity, Person, Room, Workspace


class Relationship(Record):
    """Trust and contact of one agent with one person; made at their first exchange."""

    scope_path: ClassVar[str] = "agent"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, **COVERED)
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, related_name="relationships", **COVERED
    )
    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, related_name="relationships", db_constraint=False
    )
    trust = models.FloatField(default=0)
    gained_today = models.FloatField(default=0)
    gained_on = models.DateField(null=True, blank=True)
    exchanges = models.PositiveIntegerField(default=0)
    last_contact_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "person"], name="relationship_once"),
            models.CheckConstraint(
                condition=models.Q(trust__gte=-100, trust__lte=100), name="relationship_trust_range"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.agent_id} and {self.person_id}: {self.trust:.0f}"


class Quiet(Record):
    """In a room no agent answers or mentions this person, or without a person anybody.

    It ends by its time or by being deleted; events keep what was.
    """

    scope_path: ClassVar[str] = "workspace"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="quiets")
    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, null=True, blank=True, related_name="quiets"
    )
    by = models.ForeignKey(
        Identity, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    until = models.DateTimeField(null=True, blank=True, help_text="empty: until it is taken back")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["room", "person"], nulls_distinct=False, name="quiet_once"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"quiet in {self.room_id} for {self.person_id or 'all'}"
