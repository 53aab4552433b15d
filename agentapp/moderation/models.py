"""What moderators did."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Agent, Identity, Room, User, Workspace


class ModerationAction(Record):
    """A suspension, a mute in one room or a removal, with who ordered it and how it ended.

    Who looks after a room on its platform needs no login here: then `by_handle` says who it was.
    A removal has no end; the agent comes back by a new invitation only.
    """

    scope_path: ClassVar[str] = "agent"

    class Kind(models.TextChoices):
        SUSPEND = "suspend"
        MUTE = "mute", "mute in a room"
        REMOVE = "remove", "remove from a room"

    class State(models.TextChoices):
        ACTIVE = "active"
        LIFTED = "lifted"
        EXPIRED = "expired"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="moderation")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.SUSPEND)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    room = models.ForeignKey(
        Room, on_delete=models.CASCADE, null=True, blank=True, related_name="moderation"
    )
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    by_handle = models.ForeignKey(
        Identity, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    key = models.CharField(
        max_length=300, null=True, blank=True, unique=True, help_text="of the order given in a room"
    )
    reason = models.CharField(max_length=400, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent"],
                condition=models.Q(state="active", kind="suspend"),
                name="moderation_one_active",
            ),
            models.UniqueConstraint(
                fields=["agent", "room"],
                condition=models.Q(state="active", kind="mute"),
                name="moderation_one_mute",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="suspend", room__isnull=True)
                | models.Q(kind__in=["mute", "remove"], room__isnull=False),
                name="moderation_kind_has_room",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.agent_id}: {self.state}"
