"""The budgets that a call must fit, and how each of them stands today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.db.models import Q, QuerySet

from agentapp.events import services as events
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Workspace
from agentapp.llm.models import Budget, Spend
from agentapp.llm.queries import DEFAULT_DAY_MICROS, level_of, spends
from agentapp.llm.rules.money import Level


@dataclass(frozen=True, slots=True)
class Purse:
    """One budget on one day."""

    spend_id: int
    budget_id: int
    agent_id: int | None
    day: date
    day_micros: int
    level: Level


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays for a call, on which day."""

    workspace: Workspace
    agent_id: int | None
    day: date


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


def purses_of(payers: Sequence[Payer]) -> list[list[Purse]]:
    """Return for each payer the budgets that a call must fit, in the order they are taken.

    Two queries for any number, and a row for every budget on its first call of a day.
    """
    budgets = _budgets_of(payers)
    days = {(budget.pk, payer.day) for payer in payers for budget in budgets[payer]}
    found = _spends_on(days)
    if len(found) < len(days):
        Spend.objects.bulk_create(
            [Spend(budget_id=pk, day=day) for pk, day in sorted(days - set(found))],
            ignore_conflicts=True,
        )
        found = _spends_on(days)
    return [
        sorted(
            (_purse(budget, found[budget.pk, payer.day]) for budget in budgets[payer]),
            key=lambda purse: purse.spend_id,
        )
        for payer in payers
    ]


def _budgets_of(payers: Sequence[Payer]) -> dict[Payer, list[Budget]]:
    rows = _budgets(
        workspace_ids=list({payer.workspace.pk for payer in payers}),
        agent_ids=list({payer.agent_id for payer in payers if payer.agent_id is not None}),
    )
    whole = {row.workspace_id: row for row in rows if row.agent_id is None}
    for payer in payers:
        if payer.workspace.pk not in whole:
            whole[payer.workspace.pk] = ensure(payer.workspace)
    own = {(row.workspace_id, row.agent_id): row for row in rows if row.agent_id is not None}
    return {
        payer: [
            whole[payer.workspace.pk],
            *(own[key] for key in [(payer.workspace.pk, payer.agent_id)] if key in own),
        ]
        for payer in payers
    }


def _spends_on(days: set[tuple[int, date]]) -> dict[tuple[int, date], Spend]:
    rows = spends(budget_ids=list({pk for pk, _ in days}), days=list({day for _, day in days}))
    return {(row.budget_id, row.day): row for row in rows if (row.budget_id, row.day) in days}


def _purse(budget: Budget, spend: Spend) -> Purse:
    return Purse(
        spend_id=spend.pk,
        budget_id=budget.pk,
        agent_id=budget.agent_id,
        day=spend.day,
        day_micros=budget.day_micros,
        level=level_of(budget.day_micros, spend),
    )


@prepared
def _budgets(workspace_ids: list[int], agent_ids: list[int]) -> QuerySet[Budget]:
    return Budget.objects.filter(
        Q(agent__isnull=True) | Q(agent_id__any=agent_ids), workspace_id__any=workspace_ids
    )
