"""What homeservers hand over: kept at once, taken in order by whoever holds the service."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from agentapp.appservices.models import ApplicationService, Parcel
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.database import notify_on_commit
from agentapp.foundation.errors import Conflict, NotFound, Refused, Unavailable
from agentapp.foundation.secrets import marks

WAKE_CHANNEL = "greenroom_parcels"
MOST_WAITING = 5_000  # parcels; more stay with the homeserver, which keeps them as well
KEPT_DAYS = 3.0  # that a parcel is known by its name
MAX_NAME = 255  # characters


class NotTheirs(Refused):
    """The token is not the one that this service was registered with."""


class TooMany(Unavailable):
    """So much waits to be taken in that the homeserver has to keep the rest for a while."""


class ServiceLost(Conflict):
    """Another process takes in what this service is handed by now."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel that nobody has taken in."""

    number: int
    name: str
    content: bytes


def check_token(*, service_id: uuid.UUID, token: str) -> None:
    """Let a homeserver in that shows its token. One query.

    Raises:
        NotTheirs: It is another one, or there is no such service; the two look the same.
    """
    rows = ApplicationService.objects.filter(pk=service_id)
    mark = rows.values_list("token_mark", flat=True).first() or ""
    shown = marks(token) if token else []
    if not any(hmac.compare_digest(mark, one) for one in shown):
        raise NotTheirs


@transaction.atomic
def keep(*, service_id: uuid.UUID, name: str, content: bytes) -> bool:
    """Keep a parcel; returns whether it is new. When this returns, it cannot be lost any more.

    Writes: Parcel, ApplicationService (heard_at). Wakes who takes parcels in.

    Raises:
        TooMany: Nothing was kept. NotFound: The service was removed.
    """
    waiting = Parcel.objects.filter(service_id=service_id, taken_at__isnull=True)
    if waiting.order_by("pk")[MOST_WAITING : MOST_WAITING + 1].exists():
        raise TooMany
    heard = ApplicationService.objects.filter(pk=service_id).update(heard_at=GreenroomNow())
    if not heard:
        raise NotFound
    before = Parcel.objects.filter(service_id=service_id, name=name)
    if before.exists():
        return False
    Parcel.objects.bulk_create(
        [Parcel(service_id=service_id, name=name, content=content)], ignore_conflicts=True
    )
    notify_on_commit(WAKE_CHANNEL)
    return True


def waiting_parcels(*, service_id: uuid.UUID, most: int) -> list[Waiting]:
    """Return what was handed over and not taken in, the oldest first. One query."""
    rows = Parcel.objects.filter(service_id=service_id, taken_at__isnull=True).order_by("pk")
    found = rows.values_list("pk", "name", "content")[:most]
    return [Waiting(number, name, bytes(content)) for number, name, content in found]


def note_taken(*, service_id: uuid.UUID, fence: int, numbers: Collection[int]) -> None:
    """Note that parcels are taken in, inside the transaction that does so; their content goes.

    Raises:
        ServiceLost: Another process holds the service. Nothing may be written.
    """
    held = ApplicationService.objects.filter(
        pk=service_id, fence=fence, lease_until__gt=GreenroomNow()
    )
    if not held.select_for_update(no_key=True).exists():
        raise ServiceLost
    Parcel.objects.filter(pk__in=numbers, service_id=service_id).update(
        taken_at=GreenroomNow(), content=b""
    )


def forget_taken(*, service_id: uuid.UUID) -> int:
    """Forget the names of parcels that were taken in long ago; returns how many."""
    before = GreenroomNow() - timedelta(days=KEPT_DAYS)
    gone, _ = Parcel.objects.filter(service_id=service_id, taken_at__lt=before).delete()
    return gone
