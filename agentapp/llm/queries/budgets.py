"""What agents may still spend today, and what owners should be told of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q, QuerySet

from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Workspace
from agentapp.llm.models import Budget, Spend
from agentapp.llm.queries.providers import free_workspaces, is_free
from agentapp.llm.rules import days, money
from agentapp.llm.rules.money import Level

DEFAULT_DAY_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class BudgetState:
    """Whether an agent may still ask: `low` means only who addressed it, on the cheap model."""

    level: Level


@dataclass(frozen=True, slots=True)
class Alert:
    """Something about money or models that the workspace's owners should be told."""

    workspace_id: int
    kind: str
    subject_kind: str
    subject_id: int
    text: str


def today_in(workspace: Workspace) -> date:
    """Return the date on the workspace's wall. One query."""
    return days.local_day(clock.now(), workspace.timezone)


def budget_state(*, workspace: Workspace, agent_id: int | None) -> BudgetState:
    """Say whether an agent may still ask today. Four queries at most."""
    if is_free(workspace):
        return BudgetState(Level.OK)
    day = today_in(workspace)
    budgets = _budgets_of({workspace.pk}, {agent_id} if agent_id else set())
    levels = _levels(budgets, {workspace.pk: day})
    return BudgetState(money.worst(levels.values()))


def budget_levels(*, pairs: Iterable[tuple[int, int]]) -> dict[int, Level]:
    """Say for (agent, workspace) pairs how much may be asked. A fixed number of queries."""
    pairs = list(pairs)
    workspaces = {
        row.pk: row for row in _workspaces(ids=list({workspace_id for _, workspace_id in pairs}))
    }
    free = free_workspaces(workspaces)
    if free.issuperset(workspaces):
        return {agent_id: Level.OK for agent_id, _ in pairs}
    now = clock.now()
    today = {pk: days.local_day(now, row.timezone) for pk, row in workspaces.items()}
    budgets = _budgets_of(set(workspaces), {agent_id for agent_id, _ in pairs})
    levels = _levels(budgets, today)
    found = {(each.workspace_id, each.agent_id): levels[each.pk] for each in budgets}
    return {
        agent_id: Level.OK
        if workspace_id in free
        else money.worst(found.get((workspace_id, payer), Level.OK) for payer in (None, agent_id))
        for agent_id, workspace_id in pairs
    }


def budget_left(*, pairs: Iterable[tuple[int, int]]) -> dict[int, bool]:
    """Say for (agent, workspace) pairs whether money is left today."""
    return {
        agent_id: level is not Level.EXHAUSTED
        for agent_id, level in budget_levels(pairs=pairs).items()
    }


def _budgets_of(workspace_ids: set[int], agent_ids: set[int]) -> list[Budget]:
    return _budgets(workspace_ids=list(workspace_ids), agent_ids=list(agent_ids))


def _levels(budgets: list[Budget], today: dict[int, date]) -> dict[int, Level]:
    """Return each budget's level on its workspace's day. One query."""
    found = {
        (row.budget_id, row.day): row
        for row in spends(
            budget_ids=[budget.pk for budget in budgets], days=list(set(today.values()))
        )
    }
    levels: dict[int, Level] = {}
    for budget in budgets:
        row = found.get((budget.pk, today[budget.workspace_id]))
        levels[budget.pk] = level_of(budget.day_micros, row)
    return levels


@prepared
def _workspaces(ids: list[int]) -> QuerySet[Workspace]:
    return Workspace.objects.filter(pk__any=ids)


@prepared
def _budgets(workspace_ids: list[int], agent_ids: list[int]) -> QuerySet[Budget]:
    return Budget.objects.filter(
        Q(workspace_id__any=workspace_ids, agent__isnull=True) | Q(agent_id__any=agent_ids)
    )


@prepared
def spends(budget_ids: list[int], days: list[date]) -> QuerySet[Spend]:
    """List what budgets spent on these days; one query."""
    return Spend.objects.filter(budget_id__any=budget_ids, day__any=days)


def level_of(day_micros: int, spend: Spend | None) -> Level:
    """Return how one budget stands; a day without a row has cost nothing yet."""
    return money.level(
        day_micros=day_micros,
        spent_micros=spend.spent_micros if spend else 0,
        reserved_micros=spend.reserved_micros if spend else 0,
        is_marked=spend is not None and spend.exhausted_at is not None,
    )


def alerts(*, since: datetime) -> list[Alert]:
    """Return what owners should be told, from the events after a moment. One query."""
    rows = Event.objects.filter(
        type__in=["budget.exhausted", "provider.failed", "provider.bills_another"],
        created_at__gte=since,
        workspace_id__isnull=False,
    ).order_by("pk")
    return [
        Alert(
            workspace_id=row.workspace_id or 0,
            kind=row.type,
            subject_kind=row.subject_kind,
            # A provider's id is a uuid; the event's own id tells one failure from the next.
            subject_id=int(row.subject_id) if row.subject_id.isdigit() else row.pk,
            text=str(row.payload.get("text", "")),
        )
        for row in rows
    ]
