"""Answers kept for requests that may be sent twice.

A key is claimed in a transaction of its own, so that a second request sees at once that the first
is running. The answer is kept in the transaction of the change itself: after a crash either both
are there or neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from agentapp.events.models import IdempotencyRecord
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, Invalid

KEPT = timedelta(hours=24)
ABANDONED = timedelta(seconds=60)  # longer than any request runs; then its process is gone


class KeyReused(Invalid):
    """This Idempotency-Key was used for another request. Choose a new one for each request."""

    code = "idempotency_key_reused"


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still running. Ask again in a moment."""

    code = "idempotency_key_in_use"


class Overtaken(Conflict):
    """This request took so long that a repetition took its place. Nothing was changed by it."""

    code = "idempotency_key_lost"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer a key, held by one request."""

    record_id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered the first time."""

    status: int
    body: object


@transaction.atomic
def claim(*, caller: str, key: str, request_hash: str) -> Claim | Answer:
    """Claim a caller's key, or return the answer it was given already.

    Raises:
        KeyReused: The key belongs to another request. StillRunning: It is being answered.
    """
    records = IdempotencyRecord.objects.filter(caller=caller)
    records.filter(created_at__lt=GreenroomNow() - KEPT).delete()
    records.filter(key=key, status__isnull=True, created_at__lt=GreenroomNow() - ABANDONED).delete()
    record, is_new = IdempotencyRecord.objects.get_or_create(
        caller=caller, key=key, defaults={"request_hash": request_hash}
    )
    if is_new:
        return Claim(record.pk)
    if record.request_hash != request_hash:
        raise KeyReused
    if record.status is None:
        raise StillRunning
    return Answer(status=record.status, body=record.body)


def keep(*, held: Claim, status: int, body: object) -> None:
    """Keep the answer of a claimed key; call it inside the transaction of the change.

    Raises:
        Overtaken: The claim was given to a repetition; the change must be rolled back.
    """
    kept = IdempotencyRecord.objects.filter(pk=held.record_id, status__isnull=True).update(
        status=status, body=body
    )
    if not kept:
        raise Overtaken


def release(*, held: Claim) -> None:
    """Give a key back after a refusal, so that a corrected request may use it."""
    IdempotencyRecord.objects.filter(pk=held.record_id, status__isnull=True).delete()
