"""The hosted actors, what they are made of, and their logins."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models.tenancy import User, Workspace


class Blueprint(Record):
    """What an agent is, over time. Ends with its last version's last agent."""

    scope_path: ClassVar[str] = "workspace"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="blueprints")
    code = models.SlugField(max_length=60)
    name = models.CharField(max_length=80)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True)
    template = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "code"], name="blueprint_code_once"),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class BlueprintVersion(Record):
    """One immutable text of a blueprint; the database refuses updates."""

    scope_path: ClassVar[str] = "blueprint__workspace"

    blueprint = models.ForeignKey(Blueprint, on_delete=models.CASCADE, related_name="versions")
    n = models.PositiveIntegerField()
    spec = models.JSONField()
    schema_version = models.PositiveSmallIntegerField(default=1)
    hash = models.CharField(max_length=64)
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["blueprint", "n"], name="blueprint_version_once"),
            models.CheckConstraint(condition=models.Q(n__gte=1), name="blueprint_version_from_1"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.blueprint} v{self.n}"


class Agent(Record):
    """The hosted actor: a pinned blueprint version with an owner."""

    scope_path: ClassVar[str] = ""

    class Status(models.TextChoices):
        TRIAL = "trial"
        LIVE = "live"
        PAUSED = "paused"
        ARCHIVED = "archived"
        DELETED = "deleted"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="agents")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="agents")
    version = models.ForeignKey(BlueprintVersion, on_delete=models.PROTECT, related_name="agents")
    name = models.CharField(max_length=60)
    slug = models.SlugField(max_length=60)
    status = models.CharField(max_length=16, choices=Status, default=Status.TRIAL)
    autonomous_mode = models.BooleanField(default=False)
    approval_rules = models.JSONField(default=dict, blank=True)
    limits = models.JSONField(default=dict, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "slug"], name="agent_slug_once"),
            models.UniqueConstraint(fields=["id", "workspace"], name="agent_in_workspace"),
        ]
        indexes = [models.Index(fields=["owner", "status"], name="agent_owner_status")]

    @override
    def __str__(self) -> str:
        return self.name


class Account(Record):
    """One login of an agent on one platform, with its cursor and its lease."""

    scope_path: ClassVar[str] = "agent"

    class Health(models.TextChoices):
        STARTING = "starting"
        OK = "ok"
        FAILING = "failing"
        LOST = "lost", "the platform no longer accepts it"
        STOPPED = "stopped"

    class State(models.TextChoices):
        ON = "on"
        ENDING = "ending", "leaves its rooms and the platform"
        ENDED = "ended"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="accounts")
    platform = models.CharField(max_length=20)
    external_id = models.CharField(max_length=255)
    state = models.CharField(max_length=8, choices=State, default=State.ON)
    secret = models.TextField(blank=True, help_text="sealed")
    secret_mark = models.CharField(
        max_length=100, blank=True, editable=False, help_text="keyed hash of its token"
    )
    cursor = models.JSONField(default=dict, blank=True)
    lease_holder = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    health = models.CharField(max_length=16, choices=Health, default=Health.STARTING)
    health_since = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True, help_text="last time it had news")
    last_error = models.TextField(blank=True)
    details = models.JSONField(default=dict, blank=True, help_text="what its platform says of it")
    sessions = models.PositiveIntegerField(default=0, help_text="begun on `sessions_on`")
    sessions_on = models.DateField(null=True, blank=True)
    refusals = models.PositiveIntegerField(default=0, help_text="requests refused in this window")
    refusals_from = models.DateTimeField(null=True, blank=True, help_text="start of that window")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "platform", "external_id"], name="account_once"
            ),
            models.UniqueConstraint(
                fields=["secret_mark"],
                condition=~models.Q(secret_mark=""),
                name="account_token_once",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.platform}:{self.external_id}"
