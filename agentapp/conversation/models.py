"""What was said."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.files.models import StoredFile
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.models import COVERED, Record
from agentapp.identity.models import Agent, Identity, Room, Workspace


class Message(Record):
    """One message, unique per room and platform id.

    An edit, deletion or reaction that arrives before the message makes an unknown row, which the
    message itself completes later. `edited_at` and `deleted_at` are the platform's times.
    """

    scope_path: ClassVar[str] = "room"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, **COVERED)
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="messages", **COVERED)
    external_id = models.CharField(max_length=255)
    author = models.ForeignKey(
        Identity, on_delete=models.CASCADE, null=True, related_name="messages"
    )
    is_known = models.BooleanField(default=True)
    raw = models.BinaryField(null=True, editable=False)
    text = models.TextField(blank=True)
    is_shortened = models.BooleanField(default=False)
    reply_to = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="replies",
        db_index=False,
    )
    mentions = models.ManyToManyField(Identity, related_name="mentioned_in", blank=True)
    sent_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    file_count = models.PositiveSmallIntegerField(db_default=0, help_text="of its attachments")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "external_id"], name="message_once"),
            models.CheckConstraint(
                condition=models.Q(is_known=False) | models.Q(author__isnull=False),
                name="message_known_has_author",
            ),
        ]
        indexes = [
            models.Index(fields=["room", "-id"], name="message_room_order"),
            models.Index(
                fields=["reply_to"],
                condition=models.Q(reply_to__isnull=False),
                name="message_replies",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"message {self.pk} in {self.room_id}"


class Attachment(Record):
    """A file that came with a message.

    While `wanted` it is work for whoever holds a login in the message's room: leased, counted and
    tried again. `name` is made safe; `said_type` and `said_size` are its sender's words.
    """

    scope_path: ClassVar[str] = "message__room"

    class State(models.TextChoices):
        WANTED = "wanted", "being fetched"
        KEPT = "kept"
        REFUSED = "refused", "not kept"
        FAILED = "failed", "could not be fetched"
        SEALED = "sealed", "encrypted"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attachments")
    n = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=120)
    said_type = models.CharField(max_length=100, blank=True)
    said_size = models.BigIntegerField(default=0)
    source = models.CharField(max_length=600, blank=True, help_text="where its platform keeps it")
    state = models.CharField(max_length=8, choices=State, default=State.WANTED)
    reason = models.CharField(max_length=200, blank=True)
    file = models.ForeignKey(
        StoredFile, on_delete=models.SET_NULL, null=True, blank=True, related_name="attachments"
    )
    due_at = models.DateTimeField(db_default=GreenroomNow())
    lease_until = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=80, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "n"], name="attachment_once"),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state="wanted"),
                name="attachment_wanted",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.name} of message {self.message_id}: {self.state}"


class Reaction(Record):
    """An emoji of one identity on one message; the latest platform time wins."""

    scope_path: ClassVar[str] = "message__room"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reactions")
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="reactions")
    emoji = models.CharField(max_length=64)
    is_present = models.BooleanField(default=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "identity", "emoji"], name="reaction_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.emoji} on {self.message_id}"


class FeedItem(Record):
    """What one agent should notice, with the reason."""

    scope_path: ClassVar[str] = "agent"

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="feed", db_index=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="noticed_by")
    reason = models.CharField(max_length=80)
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "message"], name="feed_item_once"),
        ]
        indexes = [models.Index(fields=["agent", "-id"], name="feed_agent")]

    @override
    def __str__(self) -> str:
        return f"{self.agent_id} noticed {self.message_id}"
