"""What leaves for a platform: a draft's files, and its pieces in their order."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.conversation.models import Message
from agentapp.drafts.models.acts import Draft
from agentapp.files.models import StoredFile
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.models import Record
from agentapp.identity.models import Account, Agent, Room, User, Workspace
from agentapp.turns.models import Turn


class DraftFile(Record):
    """A file that goes out with a draft, after its words.

    One that an agent wrote has its turn and no draft until the answer is said. `uploaded` is
    where the platform keeps its bytes, noted before anything there points to them.
    """

    scope_path: ClassVar[str] = "agent"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="draft_files")
    turn = models.ForeignKey(
        Turn, on_delete=models.CASCADE, null=True, blank=True, related_name="files"
    )
    draft = models.ForeignKey(
        Draft, on_delete=models.CASCADE, null=True, blank=True, related_name="files"
    )
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    file = models.ForeignKey(
        StoredFile, on_delete=models.SET_NULL, null=True, blank=True, related_name="draft_files"
    )
    uploaded = models.CharField(max_length=600, blank=True)
    due_at = models.DateTimeField(db_default=GreenroomNow())
    lease_until = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=80, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(turn__isnull=False) | models.Q(draft__isnull=False),
                name="draft_file_has_owner",
            ),
            models.UniqueConstraint(
                fields=["turn", "name"],
                condition=models.Q(turn__isnull=False),
                name="draft_file_once_per_turn",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class Outbound(Record):
    """One piece of a draft on the wire, in the order of its room."""

    scope_path: ClassVar[str] = "draft__agent"

    class State(models.TextChoices):
        QUEUED = "queued"
        PUBLISHING = "publishing"
        SENT = "sent"
        FAILED = "failed"
        UNKNOWN = "unknown"
        WITHHELD = "withheld"

    class Action(models.TextChoices):
        SEND = "send"
        RETRACT = "retract", "take a published piece back"
        EDIT = "edit", "correct a published piece"

    draft = models.ForeignKey(
        Draft, on_delete=models.CASCADE, related_name="pieces", db_index=False
    )
    action = models.CharField(max_length=8, choices=Action, default=Action.SEND)
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, related_name="outbounds", db_index=False
    )
    room = models.ForeignKey(
        Room, on_delete=models.CASCADE, related_name="outbounds", db_index=False
    )
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="outbounds")
    seq = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    file = models.ForeignKey(
        DraftFile,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="pieces",
        db_index=False,
    )
    dedupe_key = models.CharField(max_length=32)
    not_before = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    lease_until = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=80, blank=True)
    epoch = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True, blank=True, help_text="the first attempt")
    external_id = models.CharField(max_length=255, blank=True)
    message = models.ForeignKey(
        Message,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="published_from",
        db_index=False,
    )
    error = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draft", "seq"], name="outbound_piece_once"),
            models.UniqueConstraint(fields=["dedupe_key"], name="outbound_once"),
        ]
        indexes = [
            models.Index(
                fields=["not_before"],
                condition=models.Q(state__in=["queued", "publishing", "unknown"])
                | models.Q(state="failed", lease_until__isnull=False),
                name="outbound_due",
            ),
            models.Index(
                fields=["agent"], condition=~models.Q(state="sent"), name="outbound_unsent"
            ),
            models.Index(
                fields=["message"],
                condition=models.Q(message__isnull=False),
                name="outbound_message",
            ),
            models.Index(
                fields=["file"], condition=models.Q(file__isnull=False), name="outbound_file"
            ),
            models.Index(
                fields=["agent", "room", "id"],
                condition=models.Q(state__in=["queued", "publishing", "unknown"])
                | models.Q(state="failed", lease_until__isnull=False),
                name="outbound_room_order",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"piece {self.seq} of draft {self.draft_id}: {self.state}"
