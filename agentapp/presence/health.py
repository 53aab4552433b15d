"""How logins fare, as their processes say it, and what owners are told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from agentapp.identity.models import Account
from agentapp.identity.services import leases
from agentapp.identity.services.leases import HealthChange, HealthReport
from agentapp.notifications.services import notify


@transaction.atomic
def note_health(*, holder: str, reports: Sequence[HealthReport]) -> int:
    """Note how logins fare as `leases.report_health` does; tell owners of those that are lost.

    Writes: what that writes; Notification, once per login that its platform stopped accepting.
    Returns how many reports counted.
    """
    changes = leases.report_health(holder=holder, reports=reports)
    lost = [
        row for row in changes if row.now == Account.Health.LOST and row.was != Account.Health.LOST
    ]
    if lost:
        _tell_owners(lost)
    return len(changes)


def _tell_owners(lost: Iterable[HealthChange]) -> None:
    accounts = Account.objects.select_related("agent").in_bulk([row.account_id for row in lost])
    for account in accounts.values():
        notify(
            user_id=account.agent.owner_id,
            workspace_id=account.workspace_id,
            kind=f"login.lost.{account.pk.hex[:8]}.{account.fence}",
            subject_kind="agent",
            subject_id=account.agent_id,
            text=f"{account.agent.name} is no longer let in as {account.external_id}. "
            "Log it in again under Platforms.",
        )
