"""Holds money before a call and settles it after: the only place that moves `Spend`.

A budget's day is one row, raised by a conditional update that can never pass its ceiling, however
many callers race. Rows are always taken in the order of their ids, so callers never deadlock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import planned
from agentapp.foundation.units import dollars
from agentapp.llm.errors import BudgetExhausted, Overtaken
from agentapp.llm.models import Reservation, Spend
from agentapp.llm.purses import Purse
from agentapp.llm.rules import money

# Every purse of every call; days are taken in the order of their ids, as `hold` takes them.
# Without a cost (a lost call) it costs all that was held.
SETTLE = """
WITH ending AS (
    SELECT * FROM unnest(%(calls)s::bigint[], %(states)s::text[], %(costs)s::bigint[],
        %(backgrounds)s::boolean[]) AS ending(call_id, state, cost, is_background)
), held AS MATERIALIZED (
    SELECT reservation.id, reservation.spend_id, reservation.amount_micros, ending.state,
        ending.is_background, coalesce(ending.cost, reservation.amount_micros) AS cost
    FROM agentapp_reservation reservation JOIN ending ON ending.call_id = reservation.call_id
    WHERE reservation.state = 'reserved'
    ORDER BY reservation.spend_id, reservation.id FOR UPDATE OF reservation
), summed AS MATERIALIZED (
    SELECT spend_id, sum(amount_micros) AS amount, sum(cost) AS cost,
        sum(CASE WHEN is_background THEN cost - amount_micros ELSE 0 END) AS background
    FROM held GROUP BY spend_id
), locked AS MATERIALIZED (
    SELECT spend.id, summed.amount, summed.cost, summed.background
    FROM agentapp_spend spend JOIN summed ON summed.spend_id = spend.id
    ORDER BY spend.id FOR NO KEY UPDATE OF spend
), ended AS (
    UPDATE agentapp_reservation reservation
    SET state = held.state, settled_micros = held.cost
    FROM held WHERE reservation.id = held.id
)
UPDATE agentapp_spend spend
SET reserved_micros = reserved_micros - locked.amount,
    spent_micros = spent_micros + locked.cost,
    background_micros = background_micros + locked.background
FROM locked WHERE spend.id = locked.id
"""


RESERVE = """
INSERT INTO agentapp_reservation
    (call_id, spend_id, amount_micros, settled_micros, state, lease_until)
SELECT call_id, spend_id, micros, 0, 'reserved',
    greenroom_now() + make_interval(secs => seconds)
FROM unnest(%(calls)s::bigint[], %(spends)s::bigint[], %(micros)s::bigint[],
    %(seconds)s::double precision[]) AS purse(call_id, spend_id, micros, seconds)
"""

# One condition for everybody: what is spent, what is held and what is asked for fit the day.
HOLD = """
UPDATE agentapp_spend
SET reserved_micros = reserved_micros + %(micros)s,
    background_micros = background_micros + CASE WHEN %(background)s THEN %(micros)s ELSE 0 END
WHERE id = %(spend)s AND reserved_micros + spent_micros + %(micros)s <= %(day)s
    AND (NOT %(background)s
        OR (background_micros < %(stops_at)s AND background_micros + %(micros)s <= %(share)s))
"""


class NotEnough(BudgetExhausted):
    """A purse cannot hold what a call may cost. `is_final` when nothing under way can free it."""

    def __init__(self, message: str, *, purse: Purse, is_final: bool) -> None:
        super().__init__(message)
        self.purse = purse
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Holding:
    """What a call sets aside in each of its purses, and for how long at most."""

    call_id: int
    purses: Sequence[Purse]
    micros: int
    lease_seconds: float
    is_background: bool


def reserve(holdings: Sequence[Holding]) -> None:
    """Set money aside for calls, inside the transaction that writes them: for all or for none.

    Writes: Reservation, Spend.

    Raises:
        NotEnough: It does not fit one of the purses. The caller's transaction must be rolled back.
    """
    rows = [(each, purse) for each in holdings for purse in each.purses]
    with planned() as cursor:
        cursor.execute(
            RESERVE,
            {
                "calls": [each.call_id for each, _ in rows],
                "spends": [purse.spend_id for _, purse in rows],
                "micros": [each.micros for each, _ in rows],
                "seconds": [each.lease_seconds for each, _ in rows],
            },
        )
    sums: dict[tuple[int, bool], int] = defaultdict(int)
    purses = {}
    for each, purse in rows:
        sums[purse.spend_id, each.is_background] += each.micros
        purses[purse.spend_id] = purse
    # Last, so that a busy day's row is locked as briefly as can be.
    for (spend_id, is_background), micros in sorted(sums.items()):
        hold(purses[spend_id], micros=micros, is_background=is_background)


def hold(purse: Purse, *, micros: int, is_background: bool) -> None:
    """Set money aside, or raise; call it inside the transaction that writes the call.

    Raises:
        NotEnough: It does not fit. The caller's transaction must be rolled back.
    """
    if micros == 0:
        return
    stops_at, share = money.background_limits(purse.day_micros)
    with planned() as cursor:
        cursor.execute(
            HOLD,
            {
                "spend": purse.spend_id,
                "micros": micros,
                "day": purse.day_micros,
                "background": is_background,
                "stops_at": stops_at,
                "share": share,
            },
        )
        if cursor.rowcount != 1:
            raise _not_enough(purse, micros, is_background=is_background)


def _not_enough(purse: Purse, micros: int, *, is_background: bool) -> NotEnough:
    if is_background:
        return NotEnough(
            "The part of today's budget for work that nobody waits for is used up.",
            purse=purse,
            is_final=False,
        )
    spent = Spend.objects.values_list("spent_micros", flat=True).get(pk=purse.spend_id)
    if spent + micros <= purse.day_micros:
        return NotEnough(
            "Answers under way hold the rest of today's budget. Try again in a moment.",
            purse=purse,
            is_final=False,
        )
    return NotEnough(exhausted_text(purse), purse=purse, is_final=True)


def exhausted_text(purse: Purse) -> str:
    """Say that a budget is used up and what can be done."""
    whose = "Today's budget" if purse.agent_id is None else "This agent's budget for today"
    return (
        f"{whose} of {dollars(purse.day_micros)} is used up. "
        "Raise it under Costs, or wait until tomorrow."
    )


def mark_exhausted(purse: Purse, *, workspace_id: int) -> None:
    """Note, once a day, that a budget is used up.

    Announces: `budget.exhausted`; owners are told from it.
    """
    with transaction.atomic():
        marked = Spend.objects.filter(pk=purse.spend_id, exhausted_at__isnull=True)
        if marked.update(exhausted_at=GreenroomNow()) != 1:
            return
        events.record(
            type="budget.exhausted",
            subject_kind="budget",
            subject_id=purse.spend_id,
            workspace_id=workspace_id,
            agent_id=purse.agent_id,
            payload={
                "text": exhausted_text(purse),
                "day": purse.day.isoformat(),
                "day_micros": purse.day_micros,
            },
        )


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call's money ends. `cost_micros` None: it costs all that was held."""

    call_id: int
    state: Reservation.State
    cost_micros: int | None
    is_background: bool


def settle(settlements: Sequence[Settlement]) -> None:
    """Turn what calls hold into what they cost; call it inside a transaction.

    Open reservations of these calls end; others are left alone, so that nothing settles twice.
    """
    with planned() as cursor:
        cursor.execute(
            SETTLE,
            {
                "calls": [each.call_id for each in settlements],
                "states": [each.state for each in settlements],
                "costs": [each.cost_micros for each in settlements],
                "backgrounds": [each.is_background for each in settlements],
            },
        )


def hold_more(call_id: int, purses: list[Purse], *, micros: int, is_background: bool) -> None:
    """Set more aside for a call under way whose failed tries may have to be paid.

    Raises:
        NotEnough: It does not fit; nothing changed.
        Overtaken: The watchdog wrote the call off.
    """
    if micros == 0:
        return
    with transaction.atomic():
        for purse in purses:
            held = Reservation.objects.filter(
                call_id=call_id, spend_id=purse.spend_id, state=Reservation.State.RESERVED
            )
            if held.update(amount_micros=F("amount_micros") + micros) != 1:
                raise Overtaken
            hold(purse, micros=micros, is_background=is_background)
