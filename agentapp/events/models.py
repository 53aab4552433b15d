"""The outbox, audit trail and live feed in one table, and answers kept for repeated requests."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record


class TransactionId(models.Func):
    """The writing transaction's id; with `id` it gives the order in which rows became visible."""

    template = "(pg_current_xact_id()::text::bigint)"
    output_field = models.BigIntegerField()


class Event(Record):
    """A fact about a state change, written in the same transaction as the change. Never edited.

    Holds plain ids and no foreign keys, so that the trail survives the erasure of what it names.
    """

    scope_path: ClassVar[str] = "host"

    workspace_id = models.BigIntegerField(null=True)
    agent_id = models.BigIntegerField(null=True)
    room_id = models.BigIntegerField(null=True)
    type = models.CharField(max_length=80)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=40)
    actor_kind = models.CharField(max_length=20, default="system")
    actor_id = models.CharField(max_length=40, blank=True)
    payload = models.JSONField(default=dict)
    xid = models.BigIntegerField(db_default=TransactionId(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["xid", "id"], name="event_order"),
            models.Index(fields=["workspace_id", "-id"], name="event_workspace"),
            models.Index(fields=["subject_kind", "subject_id", "-id"], name="event_subject"),
            models.Index(fields=["type", "-id"], name="event_type"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.type} {self.subject_kind}:{self.subject_id}"


class IdempotencyRecord(Record):
    """The answer given to a request with an `Idempotency-Key`; made and ended by the API."""

    scope_path: ClassVar[str] = "host"

    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=128)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_caller_key"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.caller} {self.key}"
