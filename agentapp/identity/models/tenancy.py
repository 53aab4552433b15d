"""Tenants, the people who log in, and what they hold."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record


class Workspace(Record):
    """A tenant. Made at first login (one real, one demo) and ended by an admin."""

    scope_path: ClassVar[str] = ""

    name = models.CharField(max_length=80)
    timezone = models.CharField(max_length=64, default="UTC")
    is_demo = models.BooleanField(default=False)
    limits = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(name=""), name="workspace_name_given"),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """Somebody who logs in. `is_superuser` is the host's admin."""

    scope_path: ClassVar[str] = ""

    display_name = models.CharField(max_length=80, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    theme = models.CharField(max_length=8, default="auto")
    is_guest = models.BooleanField(default=False, help_text="came by a room link, has no password")

    @override
    def __str__(self) -> str:
        return self.display_name or self.username


class Seat(Record):
    """A user's role in a workspace. One user may hold several."""

    scope_path: ClassVar[str] = "workspace"

    class Role(models.TextChoices):
        MEMBER = "member"
        OWNER = "owner"
        MODERATOR = "moderator"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="seats")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="seats")
    role = models.CharField(max_length=16, choices=Role)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "workspace", "role"], name="seat_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.user_id} {self.role} in {self.workspace_id}"


class ApiToken(Record):
    """A key for the API: 256 random bits, stored hashed, shown once."""

    scope_path: ClassVar[str] = "user"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    token_hash = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=8, help_text="the last four characters")
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    @override
    def __str__(self) -> str:
        return f"{self.name} (…{self.hint})"


class LoginLink(Record):
    """A one-time way in, printed on the terminal. Opened by GET, consumed by POST."""

    scope_path: ClassVar[str] = "host"

    token_hash = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="login_links")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    @override
    def __str__(self) -> str:
        return f"login link {self.pk}"
