"""Which process runs which login: leases taken, renewed and given back for all of them at once.

A login has at most one holder. Each change of holder raises its fence, so that whoever paused for
too long finds that nothing it says about the login counts any more.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Case, F, Value, When

from agentapp.events import services as events
from agentapp.events.models import Event
from agentapp.foundation.prepared import planned
from agentapp.identity.models import Account

LEASE_SECONDS = 15.0
CLAIM_LIMIT = 5_000  # logins in one statement
MAX_ERROR = 400  # characters

_TAKE = """
WITH free AS (
    SELECT account.id FROM agentapp_account account
    JOIN agentapp_agent agent ON agent.id = account.agent_id
    WHERE account.platform = ANY(%(platforms)s)
      AND (account.state = 'ending'
           OR account.state = 'on' AND agent.status NOT IN ('archived', 'deleted'))
      AND (account.lease_until IS NULL OR account.lease_until <= greenroom_now())
    ORDER BY account.id LIMIT %(limit)s
    FOR UPDATE OF account SKIP LOCKED
)
UPDATE agentapp_account account
SET lease_holder = %(holder)s, fence = account.fence + 1,
    lease_until = greenroom_now() + make_interval(secs => %(seconds)s)
FROM free, agentapp_agent agent
WHERE account.id = free.id AND agent.id = account.agent_id
RETURNING account.id, account.workspace_id, account.agent_id, account.platform,
    account.external_id, agent.name, account.fence, account.state = 'ending'
"""
_RENEW = """
UPDATE agentapp_account account
SET lease_until = greenroom_now() + make_interval(secs => %(seconds)s)
FROM agentapp_agent agent
WHERE agent.id = account.agent_id
  AND (account.state = 'ending'
       OR account.state = 'on' AND agent.status NOT IN ('archived', 'deleted'))
  AND account.lease_holder = %(holder)s AND account.lease_until > greenroom_now()
RETURNING account.id, account.fence
"""
_REPORT = """
WITH report AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(fences)s::bigint[], %(healths)s::text[],
                         %(errors)s::text[]) AS r(id, fence, health, error)
), was AS (
    SELECT account.id, account.health FROM agentapp_account account JOIN report USING (id)
    WHERE account.lease_holder = %(holder)s AND account.fence = report.fence
      AND account.lease_until > greenroom_now()
    FOR UPDATE OF account
)
UPDATE agentapp_account account SET health = report.health, last_error = report.error,
    health_since = CASE WHEN was.health = report.health AND account.health_since IS NOT NULL
                        THEN account.health_since ELSE greenroom_now() END
FROM report JOIN was USING (id)
WHERE account.id = report.id
RETURNING account.id, account.workspace_id, account.agent_id, was.health, account.health,
    account.last_error
"""


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """A login that this process runs, with what its connector needs to know of it."""

    account_id: uuid.UUID
    workspace_id: int
    agent_id: int
    platform: str
    external_id: str
    name: str
    fence: int
    is_ending: bool = False


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A login that fares otherwise than before."""

    account_id: uuid.UUID
    workspace_id: int
    agent_id: int
    was: str
    now: str
    error: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How a login fares, said by the process that held it under `fence`."""

    account_id: uuid.UUID
    fence: int
    health: Account.Health
    error: str = ""


@transaction.atomic
def take_free(
    *, holder: str, platforms: Collection[str], limit: int = CLAIM_LIMIT
) -> list[HeldAccount]:
    """Take the logins of these platforms that nobody holds. One statement for all.

    Writes: Account (holder, lease, fence). Announces: `account.leased`, once.
    """
    with planned() as cursor:
        cursor.execute(
            _TAKE,
            {
                "holder": holder,
                "platforms": list(platforms),
                "limit": limit,
                "seconds": LEASE_SECONDS,
            },
        )
        taken = [HeldAccount(*row) for row in cursor.fetchall()]
    if taken:
        _record("account.leased", holder, len(taken))
    return taken


def renew(*, holder: str) -> dict[uuid.UUID, int]:
    """Renew this holder's leases that have not run out; return their fences. One statement.

    A login that is missing is lost: its lease ran out, or its agent is archived.
    """
    with planned() as cursor:
        cursor.execute(_RENEW, {"holder": holder, "seconds": LEASE_SECONDS})
        return dict(cursor.fetchall())


@transaction.atomic
def give_back(*, holder: str) -> int:
    """End this holder's leases, so that another process need not wait. Returns how many.

    Writes: Account. Announces: `account.released`, once.
    """
    given = Account.objects.filter(lease_holder=holder).update(
        lease_holder="",
        lease_until=None,
        # A lost login stays lost until somebody changes it.
        health=Case(
            When(health=Account.Health.LOST, then=F("health")),
            default=Value(Account.Health.STOPPED),
        ),
    )
    if given:
        _record("account.released", holder, given)
    return given


@transaction.atomic
def report_health(*, holder: str, reports: Sequence[HealthReport]) -> list[HealthChange]:
    """Note how logins fare; reports under a lease or fence that is gone are ignored.

    Writes: Account (health, since when, last_error). Announces: `account.connected`, once a login
    is up for the first time; `account.failing`, `account.lost` and `account.recovered`.

    Returns:
        One row per report that counted, changed or not. One statement for all.
    """
    if not reports:
        return []
    with planned() as cursor:
        cursor.execute(
            _REPORT,
            {
                "holder": holder,
                "ids": [report.account_id for report in reports],
                "fences": [report.fence for report in reports],
                "healths": [str(report.health) for report in reports],
                "errors": [report.error[:MAX_ERROR] for report in reports],
            },
        )
        rows = [HealthChange(*row) for row in cursor.fetchall()]
    events.record_many(
        Event(
            type=type_,
            subject_kind="account",
            subject_id=str(row.account_id),
            workspace_id=row.workspace_id,
            agent_id=row.agent_id,
            payload={"error": row.error},
        )
        for row in rows
        if (type_ := _event_of(row))
    )
    return rows


def _event_of(change: HealthChange) -> str:
    trouble = {Account.Health.FAILING, Account.Health.LOST}
    if change.was == change.now:
        return ""
    if change.now in trouble:
        return f"account.{change.now}"
    if change.was in trouble:
        return "account.recovered"
    return "account.connected" if change.was == Account.Health.STARTING else ""


def _record(type_: str, holder: str, count: int) -> None:
    events.record(type=type_, subject_kind="host", subject_id=holder, payload={"count": count})
