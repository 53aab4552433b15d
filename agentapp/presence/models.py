"""Which agent is in which room, from when to when."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Account, Agent, Room, Workspace


class Membership(Record):
    """An agent's presence in a room. It may read what was said inside this interval only."""

    scope_path: ClassVar[str] = "agent"

    class State(models.TextChoices):
        INVITED = "invited"
        QUARANTINED = "quarantined"
        ACTIVE = "active"
        MUTED = "muted"
        INACTIVE = "inactive", "suspended"
        LEFT = "left"
        REMOVED = "removed"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="memberships")
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="memberships")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="memberships")
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    prior_state = models.CharField(
        max_length=12,
        blank=True,
        help_text="before a suspension, or before a decision that the platform has yet to see",
    )
    is_held = models.BooleanField(default=False, help_text="muted by whoever moderates the room")
    joined_at = models.DateTimeField()
    joined_after = models.BigIntegerField(default=0, help_text="last message id before it came")
    left_at = models.DateTimeField(null=True, blank=True)
    read_to = models.CharField(
        max_length=40,
        blank=True,
        help_text="the platform's id up to which everything said here is on record",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "room"],
                condition=models.Q(left_at__isnull=True),
                name="membership_one_present",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["left", "removed"], left_at__isnull=False)
                | (~models.Q(state__in=["left", "removed"]) & models.Q(left_at__isnull=True)),
                name="membership_left_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["room", "state"], name="membership_room"),
            models.Index(
                fields=["account"],
                condition=models.Q(state__in=["quarantined", "left", "removed"])
                & ~models.Q(prior_state=""),
                name="membership_to_carry_out",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.agent_id} in {self.room_id}: {self.state}"


class Doorway(Record):
    """A room that a login could be let into: its platform shows it, nobody has decided on it."""

    scope_path: ClassVar[str] = "account__agent"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="doorways")
    external_id = models.CharField(max_length=255)
    name = models.CharField(max_length=120)
    group_id = models.CharField(max_length=255, help_text="the platform's id of its server")
    group_name = models.CharField(max_length=120)
    position = models.PositiveIntegerField(default=0, help_text="in its server's list")
    is_public = models.BooleanField(default=False)
    hindrance = models.CharField(
        max_length=200, blank=True, help_text="what the login lacks there, and who can give it"
    )
    is_group_left = models.BooleanField(default=False, help_text="its server is to be left")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="doorway_once"),
        ]
        indexes = [
            models.Index(
                fields=["account"],
                condition=models.Q(is_group_left=True),
                name="doorway_group_to_leave",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.name} of {self.group_name}"
