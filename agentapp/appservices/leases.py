"""Which process takes in what an application service is handed: one, under a lease with a fence."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q

from agentapp.appservices.makers import Service
from agentapp.appservices.models import ApplicationService
from agentapp.appservices.services import opened
from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.secrets import SecretUnreadable
from agentapp.identity.services.leases import LEASE_SECONDS, MAX_ERROR


@dataclass(frozen=True, slots=True)
class HeldService:
    """A service that this process takes parcels in for."""

    service: Service
    workspace_id: int
    platform: str
    fence: int


@transaction.atomic
def take_free(*, holder: str, platforms: Collection[str]) -> list[HeldService]:
    """Take the services that nobody holds. There are few, so nobody reckons shares.

    Writes: ApplicationService (holder, lease, fence). Announces: `appservice.leased`, for each.
    """
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=GreenroomNow())
    rows = ApplicationService.objects.filter(free, platform__in=platforms)
    taken = []
    for row in rows.select_for_update(skip_locked=True):
        row.fence += 1
        ApplicationService.objects.filter(pk=row.pk).update(
            lease_holder=holder, lease_until=_until(), fence=F("fence") + 1
        )
        try:
            service = opened(row)
        except SecretUnreadable:
            continue  # nobody here can do anything for it; it is free again in a while
        _record("appservice.leased", row, {"holder": holder})
        taken.append(HeldService(service, row.workspace_id, row.platform, row.fence))
    return taken


def renew(*, holder: str, services: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Renew those of this holder's leases that have not run out; return the fence of each."""
    held = ApplicationService.objects.filter(
        pk__in=services, lease_holder=holder, lease_until__gt=GreenroomNow()
    )
    held.update(lease_until=_until())
    return dict(held.values_list("pk", "fence"))


def give_back(*, holder: str) -> None:
    """End this holder's leases, so that another process need not wait."""
    ApplicationService.objects.filter(lease_holder=holder).update(
        lease_holder="", lease_until=GreenroomNow()
    )


@transaction.atomic
def report(*, service_id: uuid.UUID, fence: int, health: str, error: str = "") -> bool:
    """Note how a service fares; returns whether that is news. Nothing counts under an old fence.

    Writes: ApplicationService. Announces: `appservice.ok` or `appservice.failing`, on a change.
    """
    row = ApplicationService.objects.select_for_update().filter(pk=service_id, fence=fence).first()
    if row is None:
        return False
    is_news = (row.health, row.last_error) != (health, error[:MAX_ERROR])
    if row.health != health:
        row.health_since = GreenroomNow()
        _record(f"appservice.{health}", row, {"error": error[:MAX_ERROR]})
    if is_news:
        row.health, row.last_error = health, error[:MAX_ERROR]
        row.save(update_fields=["health", "health_since", "last_error"])
    return is_news


def _until() -> object:
    return GreenroomNow() + timedelta(seconds=LEASE_SECONDS)


def _record(type_: str, row: ApplicationService, payload: dict[str, object]) -> None:
    events.record(
        type=type_,
        subject_kind="appservice",
        subject_id=row.pk,
        workspace_id=row.workspace_id,
        payload=payload,
    )
