"""Who gets approval cards in a direct chat, and the cards that were shown there."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.drafts.models import Draft
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.models import Record
from agentapp.identity.models import Account, User


class CardLink(Record):
    """The handle on a platform that was proven to be an owner, and the login that brings cards."""

    scope_path: ClassVar[str] = "user"

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="card_link")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="card_links")
    external_id = models.CharField(max_length=255, help_text="the owner's handle there")
    name = models.CharField(max_length=80)
    error = models.CharField(max_length=400, blank=True, help_text="why no card arrives there")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="card_link_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"cards of {self.user_id}"


class CardCode(Record):
    """A code that proves a handle, once, within minutes. The latest counts."""

    scope_path: ClassVar[str] = "user"

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="card_code")
    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    code_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()

    @override
    def __str__(self) -> str:
        return f"code of {self.user_id}"


class Card(Record):
    """A draft shown to its owner elsewhere, with the version that its buttons stand for."""

    scope_path: ClassVar[str] = "draft__agent"

    class State(models.TextChoices):
        WAITING = "waiting", "to be shown"
        SHOWN = "shown"
        CLOSED = "closed", "decided; it has no buttons any more"
        FAILED = "failed"

    draft = models.OneToOneField(Draft, on_delete=models.CASCADE, related_name="card")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="cards")
    external_id = models.CharField(max_length=255, help_text="whom it is shown to")
    key = models.CharField(max_length=32, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    version = models.PositiveIntegerField(default=0, help_text="of the draft, as it is shown")
    content_hash = models.CharField(max_length=64, blank=True)
    is_silent = models.BooleanField(default=False, help_text="no push for it")
    place = models.CharField(max_length=255, blank=True, help_text="the direct chat's id there")
    message = models.CharField(max_length=255, blank=True)
    due_at = models.DateTimeField(db_default=GreenroomNow())
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=400, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["account", "due_at"],
                condition=models.Q(state__in=["waiting", "shown"]),
                name="card_open",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"card of draft {self.draft_id}: {self.state}"
