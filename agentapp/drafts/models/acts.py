"""Proposed outward acts, and every text that one has had."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.conversation.models import Message
from agentapp.foundation.models import COVERED, Record
from agentapp.identity.models import Agent, Person, Room, User, Workspace
from agentapp.turns.models import Turn


class Draft(Record):
    """A proposed outward act. Made by a turn or by hand; every one passes the same gate."""

    scope_path: ClassVar[str] = "agent"

    class Kind(models.TextChoices):
        MESSAGE = "message", "reply"
        POST = "post"
        COMMENT = "comment"
        REACTION = "reaction"

    class Status(models.TextChoices):
        PROPOSED = "proposed"
        PENDING = "pending"
        APPROVED = "approved"
        PUBLISHING = "publishing"
        PUBLISHED = "published"
        REJECTED = "rejected"
        EXPIRED = "expired"
        BLOCKED = "blocked", "held back"
        WITHDRAWN = "withdrawn"
        FAILED = "failed"
        UNKNOWN = "unknown", "checking whether it arrived"
        RETRACTED = "retracted"

    class Approval(models.TextChoices):
        AUTO = "auto"
        OWNER = "owner"

    class Visibility(models.TextChoices):
        PUBLIC = "public"
        FRIENDS = "friends"
        PRIVATE = "private"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, **COVERED)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="drafts", **COVERED)
    turn = models.ForeignKey(
        Turn, on_delete=models.CASCADE, null=True, blank=True, related_name="drafts"
    )
    kind = models.CharField(max_length=12, choices=Kind)
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="drafts", **COVERED)
    target = models.ForeignKey(
        Message, on_delete=models.CASCADE, null=True, blank=True, related_name="drafts_about"
    )
    person = models.ForeignKey(Person, on_delete=models.SET_NULL, null=True, blank=True)
    text = models.TextField(blank=True)
    emoji = models.CharField(max_length=64, blank=True)
    visibility = models.CharField(max_length=10, choices=Visibility, default=Visibility.PUBLIC)
    metadata = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.PROPOSED)
    approval = models.CharField(max_length=8, choices=Approval)
    reason = models.CharField(max_length=400, blank=True, help_text="why held back or rejected")
    why = models.CharField(max_length=400, blank=True, help_text="one line for the card")
    tainted = models.BooleanField(default=False, help_text="contains strangers' text")
    version = models.PositiveIntegerField(default=1)
    content_hash = models.CharField(max_length=64)
    file_count = models.PositiveSmallIntegerField(default=0, help_text="of the files it carries")
    key = models.CharField(max_length=80, help_text="turn and ordinal")
    epoch = models.BigIntegerField(default=0, help_text="safety epoch of the agent when proposed")
    room_seen = models.BigIntegerField(default=0, help_text="last message id when proposed")
    decided_by = models.ForeignKey(
        User,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="decisions",
        db_index=False,
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_via = models.CharField(max_length=20, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    stale_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    warned_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], name="draft_once"),
            models.CheckConstraint(
                condition=(
                    models.Q(kind="reaction") & models.Q(target__isnull=False) & ~models.Q(emoji="")
                )
                | (models.Q(kind="comment") & models.Q(target__isnull=False) & ~models.Q(text=""))
                | (models.Q(kind__in=["message", "post"]) & ~models.Q(text="")),
                name="draft_kind_has_target",
            ),
        ]
        indexes = [
            models.Index(
                fields=["agent"],
                condition=models.Q(status="pending"),
                name="draft_pending",
            ),
            models.Index(fields=["agent", "-id"], name="draft_agent"),
            models.Index(fields=["room", "-id"], name="draft_room"),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(status__in=["proposed", "pending", "approved"]),
                name="draft_open_expiry",
            ),
            models.Index(
                fields=["decided_by"],
                condition=models.Q(decided_by__isnull=False),
                name="draft_decided_by",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} draft {self.pk}: {self.status}"


class DraftRevision(Record):
    """One text a draft has had. The first is the model's own."""

    scope_path: ClassVar[str] = "draft__agent"

    draft = models.ForeignKey(
        Draft, on_delete=models.CASCADE, related_name="revisions", db_index=False
    )
    n = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    emoji = models.CharField(max_length=64, blank=True)
    author = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draft", "n"], name="draft_revision_once"),
        ]
        indexes = [
            models.Index(
                fields=["author"],
                condition=models.Q(author__isnull=False),
                name="draft_revision_author",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"draft {self.draft_id} revision {self.n}"


class AgentDraftPost(Draft):
    """Typed door to drafts of kind post."""

    class Meta:
        proxy = True


class AgentDraftComment(Draft):
    """Typed door to drafts of kind comment."""

    class Meta:
        proxy = True


class AgentDraftReaction(Draft):
    """Typed door to drafts of kind reaction."""

    class Meta:
        proxy = True
