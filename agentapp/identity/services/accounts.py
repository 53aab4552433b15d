"""Who serves which login: leases with a fence, one statement for any number of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from agentapp.identity.models import Account

LEASE_SECONDS = 15.0

# Renews what this process holds and takes what nobody holds. The fence rises only on taking, so
# that a holder who lost a login can tell.
_LEASE = """
UPDATE agentapp_account AS mine
SET lease_until = greenroom_now() + make_interval(secs => %(seconds)s),
    fence = mine.fence + CASE WHEN mine.lease_holder = %(holder)s THEN 0 ELSE 1 END,
    lease_holder = %(holder)s
FROM (
    SELECT id FROM agentapp_account
    WHERE platform = ANY(%(platforms)s) AND health <> 'stopped'
      AND (lease_holder = %(holder)s OR lease_until IS NULL OR lease_until <= greenroom_now())
    ORDER BY id FOR UPDATE SKIP LOCKED
) AS free
WHERE mine.id = free.id
RETURNING mine.id, mine.agent_id, mine.workspace_id, mine.platform, mine.external_id, mine.fence
"""


@dataclass(frozen=True, slots=True)
class LeasedAccount:
    """A login this process serves until its lease runs out."""

    id: uuid.UUID
    agent_id: int
    workspace_id: int
    platform: str
    external_id: str
    fence: int


def lease_accounts(
    *, holder: str, platforms: Sequence[str], seconds: float = LEASE_SECONDS
) -> list[LeasedAccount]:
    """Renew this process's logins and take those whose holder is gone. One statement.

    Returns:
        Everything this process may serve until the lease runs out.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEASE, {"seconds": seconds, "holder": holder, "platforms": list(platforms)})
        return [LeasedAccount(*row) for row in cursor.fetchall()]


def release_accounts(*, holder: str) -> int:
    """Give back all logins of a process that stops, so that another takes them at once."""
    return Account.objects.filter(lease_holder=holder).update(lease_until=None, lease_holder="")


@transaction.atomic
def set_health(*, account_ids: Sequence[uuid.UUID], health: str, error: str = "") -> int:
    """Note how logins fare; rows that already say so are left alone. Returns how many changed."""
    return (
        Account.objects.filter(pk__in=account_ids)
        .exclude(health=health, last_error=error)
        .update(health=health, last_error=error[:2000])
    )
