"""Who answers, what it costs, and what may be spent."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Agent, Workspace
from agentapp.turns.models import Turn


class Provider(Record):
    """A model server: an address, a sealed key, and the models chosen from it."""

    scope_path: ClassVar[str] = "workspace"

    class Kind(models.TextChoices):
        OPENAI = "openai", "OpenAI-compatible"
        ANTHROPIC = "anthropic", "Anthropic"
        REHEARSAL = "rehearsal", "Rehearsal (demo only)"

    class Circuit(models.TextChoices):
        CLOSED = "closed", "asked as usual"
        OPEN = "open", "left alone for a while"
        HALF_OPEN = "half_open", "one question finds out"

    class Pictures(models.TextChoices):
        AUTO = "auto", "as its model is known to"
        YES = "yes", "reads pictures"
        NO = "no", "gets no pictures"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="providers")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.OPENAI)
    name = models.CharField(max_length=60)
    base_url = models.URLField(max_length=300, blank=True)
    key_sealed = models.TextField(blank=True)
    key_hint = models.CharField(max_length=8, blank=True)
    reply_model = models.CharField(max_length=120)
    cheap_model = models.CharField(max_length=120, blank=True)
    pictures = models.CharField(max_length=4, choices=Pictures, default=Pictures.AUTO)
    is_default = models.BooleanField(default=False)
    rank = models.PositiveSmallIntegerField(default=0, help_text="the smallest is asked first")
    circuit = models.CharField(max_length=10, choices=Circuit, default=Circuit.CLOSED)
    circuit_failures = models.PositiveSmallIntegerField(default=0, help_text="in a row")
    circuit_until = models.DateTimeField(
        null=True, blank=True, help_text="open: when it may be tried; half open: the try's lease"
    )
    verified_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=400, blank=True)
    bills_as = models.JSONField(
        default=dict, blank=True, help_text="for a model that was asked, the dearer one it bills"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"],
                condition=models.Q(is_default=True),
                name="provider_one_default",
            ),
            models.CheckConstraint(
                condition=models.Q(circuit="closed", circuit_until__isnull=True)
                | (~models.Q(circuit="closed") & models.Q(circuit_until__isnull=False)),
                name="provider_circuit_until",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class Rate(Record):
    """A price from a date on. Micro-dollars per million tokens."""

    scope_path: ClassVar[str] = "host"

    model = models.CharField(max_length=120, help_text="exact name, or a prefix ending in *")
    effective_from = models.DateField()
    input_micros = models.BigIntegerField()
    output_micros = models.BigIntegerField()
    cached_micros = models.BigIntegerField(default=0)
    source = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "effective_from"], name="rate_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.model} from {self.effective_from}"


class Budget(Record):
    """A ceiling per day for a workspace, or for one agent in it."""

    scope_path: ClassVar[str] = "workspace"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="budgets")
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, null=True, blank=True, related_name="budgets"
    )
    day_micros = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"],
                condition=models.Q(agent__isnull=True),
                name="budget_one_per_workspace",
            ),
            models.UniqueConstraint(
                fields=["agent"],
                condition=models.Q(agent__isnull=False),
                name="budget_one_per_agent",
            ),
            models.CheckConstraint(
                condition=models.Q(day_micros__gte=0), name="budget_not_negative"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.day_micros} micros a day"


class Spend(Record):
    """One day's counter of one budget. Raised only by conditional updates that respect it."""

    scope_path: ClassVar[str] = "budget__workspace"

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="days")
    day = models.DateField(help_text="in the workspace's time zone")
    reserved_micros = models.BigIntegerField(default=0)
    spent_micros = models.BigIntegerField(default=0)
    background_micros = models.BigIntegerField(
        default=0, help_text="the part, held or spent, of calls that nobody waited for"
    )
    exhausted_at = models.DateTimeField(
        null=True, blank=True, help_text="when a call first no longer fitted"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["budget", "day"], name="spend_once_a_day"),
            models.CheckConstraint(
                condition=models.Q(
                    reserved_micros__gte=0, spent_micros__gte=0, background_micros__gte=0
                ),
                name="spend_not_negative",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.day}: {self.spent_micros}"


class LLMCall(Record):
    """One request to a model server. A row exists before the request leaves."""

    scope_path: ClassVar[str] = "workspace"

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        LOST = "lost", "its worker died"
        REFUSED = "refused"

    class Purpose(models.TextChoices):
        REPLY = "reply"
        DECIDE = "decide"
        SCREEN = "screen"
        PROVE = "prove", "proof of a key"
        DESCRIBE = "describe", "an agent from one sentence"
        SUMMARISE = "summarise", "a conversation that has ended"
        EMBED = "embedding", "vectors for memories"

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="calls", db_index=False
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, null=True, related_name="calls", db_index=False
    )
    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, null=True, related_name="calls")
    provider = models.ForeignKey(Provider, on_delete=models.SET_NULL, null=True)
    model = models.CharField(max_length=120)
    served_model = models.CharField(
        max_length=120, blank=True, help_text="the model that answered, as the server named it"
    )
    purpose = models.CharField(max_length=16, choices=Purpose)
    is_background = models.BooleanField(default=False, help_text="nobody waited for it")
    key = models.CharField(max_length=80, unique=True, help_text="idempotency key")
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    is_demo = models.BooleanField(default=False)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    tokens_cached = models.PositiveIntegerField(default=0)
    is_estimated = models.BooleanField(
        default=False, help_text="the server did not count; tokens and cost are our guess"
    )
    cost_micros = models.BigIntegerField(default=0)
    rate = models.ForeignKey(Rate, on_delete=models.SET_NULL, null=True, db_index=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    latency_ms = models.PositiveIntegerField(default=0)
    first_token_ms = models.PositiveIntegerField(null=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    answer = models.TextField(blank=True, help_text="kept so that a repeated turn need not pay")
    tool_requests = models.JSONField(
        default=list, blank=True, help_text="what it asked of tools: id, name, arguments each"
    )
    error = models.CharField(max_length=400, blank=True)
    failure = models.CharField(
        max_length=16,
        blank=True,
        default="",
        db_default="",
        help_text="what kind of trouble it ended with",
    )
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="call_workspace"),
            models.Index(fields=["agent", "-created_at"], name="call_agent"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.purpose} by {self.model}: {self.status}"


class Reservation(Record):
    """Money held for one call on one budget, until it is settled, released or lost."""

    scope_path: ClassVar[str] = "spend__budget__workspace"

    class State(models.TextChoices):
        RESERVED = "reserved"
        SETTLED = "settled"
        RELEASED = "released"
        LOST = "lost", "settled at its maximum"

    call = models.ForeignKey(
        LLMCall, on_delete=models.CASCADE, related_name="reservations", db_index=False
    )
    spend = models.ForeignKey(Spend, on_delete=models.CASCADE, related_name="reservations")
    amount_micros = models.BigIntegerField()
    settled_micros = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.RESERVED)
    lease_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["call", "spend"], name="reservation_once"),
        ]
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state="reserved"),
                name="reservation_open",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.amount_micros} {self.state}"
