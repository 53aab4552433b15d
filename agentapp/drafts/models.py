"""Proposed outward acts and their way onto a platform."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.conversation.models import Message
from agentapp.files.models import StoredFile
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.models import Record
from agentapp.identity.models import Account, Agent, Person, Room, User, Workspace
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

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="drafts")
    turn = models.ForeignKey(
        Turn, on_delete=models.CASCADE, null=True, blank=True, related_name="drafts"
    )
    kind = models.CharField(max_length=12, choices=Kind)
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="drafts")
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
    key = models.CharField(max_length=80, unique=True, help_text="turn and ordinal")
    epoch = models.BigIntegerField(default=0, help_text="safety epoch of the agent when proposed")
    room_seen = models.BigIntegerField(default=0, help_text="last message id when proposed")
    decided_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="decisions"
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
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} draft {self.pk}: {self.status}"


class DraftRevision(Record):
    """One text a draft has had. The first is the model's own."""

    scope_path: ClassVar[str] = "draft__agent"

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="revisions")
    n = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    emoji = models.CharField(max_length=64, blank=True)
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draft", "n"], name="draft_revision_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"draft {self.draft_id} revision {self.n}"


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

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="pieces")
    action = models.CharField(max_length=8, choices=Action, default=Action.SEND)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="outbounds")
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="outbounds")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="outbounds")
    seq = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)
    file = models.ForeignKey(
        DraftFile, on_delete=models.SET_NULL, null=True, blank=True, related_name="pieces"
    )
    dedupe_key = models.CharField(max_length=32, unique=True)
    not_before = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    lease_until = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=80, blank=True)
    epoch = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True, blank=True, help_text="the first attempt")
    external_id = models.CharField(max_length=255, blank=True)
    message = models.ForeignKey(
        Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="published_from"
    )
    error = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draft", "seq"], name="outbound_piece_once"),
        ]
        indexes = [
            models.Index(
                fields=["not_before"],
                condition=models.Q(state__in=["queued", "publishing", "unknown"])
                | models.Q(state="failed", lease_until__isnull=False),
                name="outbound_due",
            ),
            models.Index(
                fields=["agent"],
                condition=models.Q(state="publishing"),
                name="outbound_in_flight",
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


class ReplyOffer(Record):
    """What an owner said when asked to let an agent's replies in a room go on their own.

    Replies sent before `answered_at` no longer count for the next time it is asked.
    """

    scope_path: ClassVar[str] = "agent"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="reply_offers")
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="reply_offers")
    is_accepted = models.BooleanField()
    answered_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "room"], name="reply_offer_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"replies of {self.agent_id} in {self.room_id}: {self.is_accepted}"


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
