"""Places."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models.tenancy import User, Workspace


class Room(Record):
    """A place on a platform. Direct rooms hold one person and one agent."""

    scope_path: ClassVar[str] = ""

    class Kind(models.TextChoices):
        GROUP = "group", "guild or space"
        ROOM = "room"
        THREAD = "thread"
        DIRECT = "direct"

    class Visibility(models.TextChoices):
        PUBLIC = "public", "everybody in the workspace"
        PRIVATE = "private", "only who was let in"

    class Dial(models.TextChoices):
        SILENT = "silent", "Silent"
        ASKED = "asked", "Answers when asked"
        JOINS = "joins", "Joins in"

    class ReplyMode(models.TextChoices):
        APPROVE = "approve", "I approve"
        OWN = "own", "on its own"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="rooms")
    platform = models.CharField(max_length=20)
    external_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.ROOM)
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True)
    name = models.CharField(max_length=120, blank=True)
    group_id = models.CharField(
        max_length=255, blank=True, help_text="the platform's id of the server that it is part of"
    )
    visibility = models.CharField(max_length=10, choices=Visibility, default=Visibility.PRIVATE)
    dial = models.CharField(max_length=10, choices=Dial, default=Dial.ASKED)
    reply_mode = models.CharField(max_length=10, choices=ReplyMode, default=ReplyMode.OWN)
    agents_allowed = models.BooleanField(default=True)
    encrypted = models.BooleanField(default=False)
    is_tryout = models.BooleanField(default=False, help_text="changes no memory, trust or counts")
    limits = models.JSONField(default=dict, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True, help_text="archived, deleted or lost")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "platform", "external_id"], name="room_once"
            ),
            models.UniqueConstraint(fields=["id", "workspace"], name="room_in_workspace"),
        ]
        indexes = [
            models.Index(
                fields=["workspace", "platform", "group_id"],
                condition=~models.Q(group_id=""),
                name="room_of_group",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.name or f"{self.platform} room {self.pk}"


class RoomLink(Record):
    """An invitation into a web room: whoever opens it may join under a name."""

    scope_path: ClassVar[str] = "room"

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="links")
    token_hash = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="room_links")
    expires_at = models.DateTimeField()
    uses_left = models.PositiveIntegerField(default=20)
    revoked_at = models.DateTimeField(null=True, blank=True)

    @override
    def __str__(self) -> str:
        return f"link into {self.room_id}"
