"""Holds money before a call and settles it after: the only place that moves `Spend`.

A budget's day is one row, raised by a conditional update that can never pass its ceiling, however
many callers race. Rows are always taken in the order of their ids, so callers never deadlock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.prepared import prepared
from agentapp.foundation.units import dollars
from agentapp.identity.models import Workspace
from agentapp.llm.errors import BudgetExhausted, Overtaken
from agentapp.llm.models import Budget, LLMCall, Reservation, Spend
from agentapp.llm.queries import DEFAULT_DAY_MICROS, level_of, spends
from agentapp.llm.rules import money
from agentapp.llm.rules.money import Level

# Every purse of a call at once; rows are taken in the order of their ids, as `hold` takes them.
# Without a cost (a lost call) it costs all that was held.
SETTLE = """
WITH held AS MATERIALIZED (
    SELECT id, spend_id, amount_micros, coalesce(%(cost)s::bigint, amount_micros) AS cost
    FROM agentapp_reservation WHERE call_id = %(call)s AND state = 'reserved'
    ORDER BY spend_id FOR UPDATE
), locked AS MATERIALIZED (
    SELECT spend.id, held.amount_micros, held.cost
    FROM agentapp_spend spend JOIN held ON held.spend_id = spend.id
    ORDER BY spend.id FOR NO KEY UPDATE OF spend
), ended AS (
    UPDATE agentapp_reservation reservation SET state = %(state)s, settled_micros = held.cost
    FROM held WHERE reservation.id = held.id
)
UPDATE agentapp_spend spend
SET reserved_micros = reserved_micros - locked.amount_micros,
    spent_micros = spent_micros + locked.cost,
    background_micros = background_micros
        + CASE WHEN %(background)s THEN locked.cost - locked.amount_micros ELSE 0 END
FROM locked WHERE spend.id = locked.id
"""


RESERVE = """
INSERT INTO agentapp_reservation
    (call_id, spend_id, amount_micros, settled_micros, state, lease_until)
SELECT %(call)s, spend_id, %(micros)s, 0, 'reserved',
    greenroom_now() + make_interval(secs => %(seconds)s)
FROM unnest(%(spends)s::bigint[]) AS purse(spend_id)
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


@dataclass(frozen=True, slots=True)
class Purse:
    """One budget on one day."""

    spend_id: int
    budget_id: int
    agent_id: int | None
    day: date
    day_micros: int
    level: Level


class NotEnough(BudgetExhausted):
    """A purse cannot hold what a call may cost. `is_final` when nothing under way can free it."""

    def __init__(self, message: str, *, purse: Purse, is_final: bool) -> None:
        super().__init__(message)
        self.purse = purse
        self.is_final = is_final


def ensure(workspace: Workspace) -> Budget:
    """Return the workspace's budget; $1 a day when nobody has set one."""
    with transaction.atomic():
        budget, is_new = Budget.objects.get_or_create(
            workspace=workspace, agent=None, defaults={"day_micros": DEFAULT_DAY_MICROS}
        )
        if is_new:
            events.record(
                type="budget.changed",
                subject_kind="budget",
                subject_id=budget.pk,
                workspace_id=workspace.pk,
                payload={"day_micros": budget.day_micros},
            )
    return budget


def purses_for(*, workspace: Workspace, agent_id: int | None, day: date) -> list[Purse]:
    """Return the budgets that a call of this agent must fit, in the order they are taken."""
    budgets = _budgets(workspace_id=workspace.pk, agent_id=agent_id)
    if all(budget.agent_id is not None for budget in budgets):
        budgets.append(ensure(workspace))
    spends = _spends_of(budgets, day)
    purses = [
        Purse(
            spend_id=spends[budget.pk].pk,
            budget_id=budget.pk,
            agent_id=budget.agent_id,
            day=day,
            day_micros=budget.day_micros,
            level=level_of(budget.day_micros, spends[budget.pk]),
        )
        for budget in budgets
    ]
    return sorted(purses, key=lambda purse: purse.spend_id)


def _spends_of(budgets: list[Budget], day: date) -> dict[int, Spend]:
    ids = [budget.pk for budget in budgets]
    found = {row.budget_id: row for row in spends(budget_ids=ids, days=[day])}
    if len(found) < len(budgets):
        Spend.objects.bulk_create(
            [Spend(budget=budget, day=day) for budget in budgets if budget.pk not in found],
            ignore_conflicts=True,
        )
        found = {row.budget_id: row for row in spends(budget_ids=ids, days=[day])}
    return found


@prepared
def _budgets(workspace_id: int, agent_id: int | None) -> QuerySet[Budget]:
    return Budget.objects.filter(
        Q(agent__isnull=True) | Q(agent_id=agent_id), workspace_id=workspace_id
    )


def reserve(call: LLMCall, purses: list[Purse], *, micros: int, lease_seconds: float) -> None:
    """Set a call's money aside in every purse, inside the transaction that writes the call.

    Writes: Reservation, Spend.

    Raises:
        NotEnough: It does not fit one of them. The caller's transaction must be rolled back.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            RESERVE,
            {
                "call": call.pk,
                "spends": [purse.spend_id for purse in purses],
                "micros": micros,
                "seconds": lease_seconds,
            },
        )
    # Last, so that a busy day's row is locked as briefly as can be.
    for purse in purses:
        hold(purse, micros=micros, is_background=call.is_background)


def hold(purse: Purse, *, micros: int, is_background: bool) -> None:
    """Set money aside, or raise; call it inside the transaction that writes the call.

    Raises:
        NotEnough: It does not fit. The caller's transaction must be rolled back.
    """
    if micros == 0:
        return
    stops_at, share = money.background_limits(purse.day_micros)
    with connection.cursor() as cursor:
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


def settle(call: LLMCall, *, cost_micros: int, state: Reservation.State) -> None:
    """Turn what a call holds into what it cost; call it inside a transaction.

    Args:
        call: Its open reservations end; others are left alone, so that nothing settles twice.
        cost_micros: The real cost; ignored for `LOST`, which costs all that was held.
        state: SETTLED, RELEASED (nothing was billed) or LOST.
    """
    fixed = {Reservation.State.RELEASED: 0, Reservation.State.LOST: None}
    with connection.cursor() as cursor:
        cursor.execute(
            SETTLE,
            {
                "call": call.pk,
                "state": state,
                "cost": fixed.get(state, cost_micros),
                "background": call.is_background,
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
