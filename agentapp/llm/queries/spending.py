"""What calls cost, by day and by agent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate

from agentapp.identity.models import Agent, Workspace
from agentapp.llm.models import Budget, LLMCall, Spend
from agentapp.llm.queries.budgets import DEFAULT_DAY_MICROS, today_in
from agentapp.llm.rules import days

SPARK_DAYS = 14
MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class SpendView:
    """One day of a workspace, in micro-dollars. `reserved` is held by calls under way."""

    spent: int
    reserved: int
    limit: int


@dataclass(frozen=True, slots=True)
class DaySpend:
    """What one day cost, in micro-dollars."""

    day: date
    micros: int


@dataclass(frozen=True, slots=True)
class AgentSpend:
    """What one agent cost: today, in 30 days, and per day for the last 14, oldest first."""

    agent: Agent
    today: int
    month: int
    calls: int
    days: list[int]


def spend_today(workspace: Workspace) -> SpendView:
    """Return what today cost so far, what is held, and the ceiling. Three queries."""
    budget = Budget.objects.filter(workspace=workspace, agent__isnull=True).first()
    limit = budget.day_micros if budget is not None else DEFAULT_DAY_MICROS
    spend = Spend.objects.filter(budget=budget, day=today_in(workspace)).first() if budget else None
    if spend is None:
        return SpendView(0, 0, limit)
    return SpendView(spend.spent_micros, spend.reserved_micros, limit)


def spend_by_day(workspace: Workspace, days: int = MONTH_DAYS) -> list[DaySpend]:
    """Return the last days, today last, days without spend included. Two queries."""
    wanted = _last_days(workspace, days)
    spent = dict(
        Spend.objects.filter(
            budget__workspace=workspace, budget__agent__isnull=True, day__gte=wanted[0]
        ).values_list("day", "spent_micros")
    )
    return [DaySpend(day, spent.get(day, 0)) for day in wanted]


def spend_by_agent(workspace: Workspace) -> list[AgentSpend]:
    """Return every agent that asked a model in the last 30 days, the dearest first. Three queries.

    Counts every call by the workspace's days, whether or not the agent has a budget of its own.
    """
    wanted = _last_days(workspace, MONTH_DAYS)
    since = days.day_start(wanted[0], workspace.timezone)
    rows = (
        LLMCall.objects.filter(workspace=workspace, agent__isnull=False, created_at__gte=since)
        .annotate(day=TruncDate("created_at", tzinfo=days.zone(workspace.timezone)))
        .values_list("agent_id", "day")
        .annotate(micros=Sum("cost_micros"), calls=Count("pk"))
    )
    by_agent: dict[int, dict[date, tuple[int, int]]] = {}
    for agent_id, day, micros, calls in rows:
        by_agent.setdefault(agent_id, {})[day] = (micros, calls)
    agents = Agent.objects.in_bulk(by_agent)
    found = [_agent_spend(agents[pk], table, wanted) for pk, table in by_agent.items()]
    return sorted(found, key=lambda row: (-row.month, row.agent.pk))


def _agent_spend(
    agent: Agent, table: dict[date, tuple[int, int]], wanted: list[date]
) -> AgentSpend:
    def micros(day: date) -> int:
        return table.get(day, (0, 0))[0]

    return AgentSpend(
        agent=agent,
        today=micros(wanted[-1]),
        month=sum(micros(day) for day in wanted),
        calls=sum(calls for _, calls in table.values()),
        days=[micros(day) for day in wanted[-SPARK_DAYS:]],
    )


def _last_days(workspace: Workspace, count: int) -> list[date]:
    return days.last_days(today_in(workspace), count)


def recent_calls(workspace: Workspace) -> QuerySet[LLMCall]:
    """Return the workspace's calls, newest first, with their agents."""
    return LLMCall.objects.filter(workspace=workspace).select_related("agent").order_by("-pk")
