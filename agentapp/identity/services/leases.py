"""Which process runs which login: leases taken, renewed and given back for all of them at once.

A login has at most one holder. Each change of holder raises its fence, so that whoever paused for
too long finds that nothing it says about the login counts any more.

Processes share the logins of a platform evenly: whoever has more than its share is told, and gives
the others back as soon as nothing of them is under way.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from agentapp.events import services as events
from agentapp.events.models import Event
from agentapp.foundation import faults
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import planned
from agentapp.identity.models import Account, Runner
from agentapp.identity.services import sharing

LEASE_SECONDS = 15.0
CLAIM_LIMIT = 5_000  # logins in one statement
# A process counts for the others once it has stayed; one that dies at every start costs nobody.
SETTLED_SECONDS = 10.0
# A login that nobody took for so long is anybody's, whatever the shares are.
PATIENCE_SECONDS = 5.0
FORGOTTEN_SECONDS = 3600.0  # after which a process that ended without a word leaves no row
MAX_ERROR = 400  # characters

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
class Renewed:
    """What a holder still has.

    Attributes:
        fences: Of every login of its own.
        surplus: Those that are more than its share, for others to take.
    """

    fences: dict[uuid.UUID, int]
    surplus: list[uuid.UUID]


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
    """Take logins of these platforms that nobody holds, up to this holder's share of each.

    One statement for all.

    Writes: Account (holder, lease, fence). Announces: `account.leased`, once.
    """
    with planned() as cursor:
        cursor.execute(
            sharing.TAKE,
            {
                "holder": holder,
                "platforms": list(platforms),
                "limit": limit,
                "seconds": LEASE_SECONDS,
                "settled": SETTLED_SECONDS,
                "patience": PATIENCE_SECONDS,
            },
        )
        taken = [HeldAccount(*row) for row in cursor.fetchall()]
    if taken:
        _record("account.leased", holder, len(taken))
        faults.passing("lease.taken")
    return taken


def renew(*, holder: str, platforms: Collection[str] = ()) -> Renewed:
    """Renew this holder's leases that have not run out, and say that it is there. One statement.

    A login that is missing in the answer is lost: its lease ran out, or its agent is archived.

    Args:
        platforms: What it can run, for the shares of the others.
    """
    with planned() as cursor:
        cursor.execute(
            sharing.RENEW,
            {
                "holder": holder,
                "platforms": list(platforms),
                "seconds": LEASE_SECONDS,
                "settled": SETTLED_SECONDS,
            },
        )
        rows = cursor.fetchall()
    return Renewed(
        fences={pk: fence for pk, fence, _ in rows},
        surplus=[pk for pk, _, is_surplus in rows if is_surplus],
    )


def is_there(*, host: str) -> bool:
    """Say whether a process whose holder's name begins with `host:` is there, and can be seen."""
    alive = Runner.objects.filter(alive_until__gt=GreenroomNow())
    return alive.filter(holder__startswith=f"{host}:").exists()


@transaction.atomic
def give_back(*, holder: str, accounts: Collection[uuid.UUID] | None = None) -> int:
    """End this holder's leases, so that another process need not wait. Returns how many.

    Args:
        accounts: Only these; None for all, and the holder itself is gone then.

    Writes: Account, Runner. Announces: `account.released`, once.
    """
    leases = Account.objects.filter(lease_holder=holder)
    if accounts is None:
        forgotten = GreenroomNow() - timedelta(seconds=FORGOTTEN_SECONDS)
        Runner.objects.filter(Q(holder=holder) | Q(alive_until__lt=forgotten)).delete()
    else:
        leases = leases.filter(pk__in=accounts)
    given = leases.update(
        lease_holder="",
        lease_until=GreenroomNow(),
        # A lost login stays lost until somebody changes it.
        health=Case(
            When(health=Account.Health.LOST, then=F("health")),
            default=Value(Account.Health.STOPPED),
        ),
    )
    if given:
        _record("account.released", holder, given)
        faults.passing("lease.given")
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
