"""Reads about providers, prices, budgets and what was spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from agentapp.events.models import Event
from agentapp.foundation import clock
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Agent, Workspace
from agentapp.llm.models import Budget, LLMCall, Provider, Rate, Spend
from agentapp.llm.rates import UNKNOWN
from agentapp.llm.rules import days, money
from agentapp.llm.rules.addresses import is_local_url
from agentapp.llm.rules.money import FREE, Level, Price

DEFAULT_DAY_MICROS = 1_000_000
SPARK_DAYS = 14
MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class SpendView:
    """One day of a workspace, in micro-dollars. `reserved` is held by calls under way."""

    spent: int
    reserved: int
    limit: int


@dataclass(frozen=True, slots=True)
class BudgetState:
    """Whether an agent may still ask: `low` means only who addressed it, on the cheap model."""

    level: Level


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


@dataclass(frozen=True, slots=True)
class Alert:
    """Something about money or models that the workspace's owners should be told."""

    workspace_id: int
    kind: str
    subject_kind: str
    subject_id: int
    text: str


def default_provider(workspace: Workspace) -> Provider | None:
    """Return the provider that answers for a workspace; rehearsal only in demos. One query."""
    provider = _defaults.first(workspace_ids=[workspace.pk])
    if provider is None:
        return None
    is_rehearsal = provider.kind == Provider.Kind.REHEARSAL
    return provider if is_rehearsal == workspace.is_demo else None


def providers_of(workspace: Workspace) -> list[Provider]:
    """Return who may answer for a workspace, the first to be asked first. One query.

    Rehearsal answers in demos and nowhere else; nothing else answers there.
    """
    rows = _providers(workspace_id=workspace.pk)
    return [row for row in rows if (row.kind == Provider.Kind.REHEARSAL) == workspace.is_demo]


def has_provider(workspace: Workspace) -> bool:
    """Say whether a model is connected. One query."""
    return default_provider(workspace) is not None


def today_in(workspace: Workspace) -> date:
    """Return the date on the workspace's wall. One query."""
    return days.local_day(clock.now(), workspace.timezone)


def price_of(*, kind: str, base_url: str, model: str, day: date) -> Price | None:
    """Return a model's price on a day; None when the price list was never loaded. One query.

    One's own machines are free, unless the list names exactly this model: then something there
    passes the questions on to who sells it.
    """
    if kind == Provider.Kind.REHEARSAL:
        return FREE
    patterns = money.price_patterns(model)
    if is_local_url(base_url):
        patterns = patterns[:1]
    best = min(
        _rates_on(models=list(patterns), day=day),
        key=lambda rate: (patterns.index(rate.model), -rate.effective_from.toordinal()),
        default=None,
    )
    if best is None:
        return FREE if is_local_url(base_url) else None
    return Price(
        best.input_micros,
        best.output_micros,
        best.cached_micros,
        rate_id=best.pk,
        is_known=best.model != UNKNOWN,
    )


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


def budget_state(*, workspace: Workspace, agent_id: int | None) -> BudgetState:
    """Say whether an agent may still ask today. Four queries at most."""
    if is_free(workspace):
        return BudgetState(Level.OK)
    day = today_in(workspace)
    budgets = _budgets_of({workspace.pk}, {agent_id} if agent_id else set())
    levels = _levels(budgets, {workspace.pk: day})
    return BudgetState(money.worst(levels.values()))


def budget_left(*, pairs: Iterable[tuple[int, int]]) -> dict[int, bool]:
    """Say for (agent, workspace) pairs whether money is left today. A fixed number of queries."""
    pairs = list(pairs)
    workspaces = Workspace.objects.in_bulk({workspace_id for _, workspace_id in pairs})
    free = _free_workspaces(workspaces)
    now = clock.now()
    today = {pk: days.local_day(now, row.timezone) for pk, row in workspaces.items()}
    budgets = _budgets_of(set(workspaces), {agent_id for agent_id, _ in pairs})
    levels = _levels(budgets, today)
    spent_up = {
        (budget.workspace_id, budget.agent_id)
        for budget in budgets
        if levels[budget.pk] is Level.EXHAUSTED
    }
    return {
        agent_id: workspace_id in free
        or not ({(workspace_id, None), (workspace_id, agent_id)} & spent_up)
        for agent_id, workspace_id in pairs
    }


def is_free(workspace: Workspace) -> bool:
    """Say whether asking costs nothing, so that no budget can stop it. Two queries at most."""
    return workspace.pk in _free_workspaces([workspace.pk])


def _free_workspaces(workspace_ids: Iterable[int]) -> set[int]:
    providers = _defaults(workspace_ids=list(workspace_ids))
    local = {row.workspace_id: row for row in providers if is_local_url(row.base_url)}
    names = {
        pk: {money.bare_name(row.reply_model), money.bare_name(row.cheap_model)}
        for pk, row in local.items()
    }
    wanted = set().union(*names.values())
    sold = set(_sold(models=list(wanted))) if wanted else set()
    rehearsals = {row.workspace_id for row in providers if row.kind == Provider.Kind.REHEARSAL}
    return rehearsals | {pk for pk, own in names.items() if not own & sold}


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
def workspace_row(workspace_id: int) -> QuerySet[Workspace]:
    """Return one workspace; one query."""
    return Workspace.objects.filter(pk=workspace_id)


@prepared
def _defaults(workspace_ids: list[int]) -> QuerySet[Provider]:
    return Provider.objects.filter(workspace_id__any=workspace_ids, is_default=True)


@prepared
def _providers(workspace_id: int) -> QuerySet[Provider]:
    return Provider.objects.filter(workspace_id=workspace_id).order_by("rank", "created_at")


@prepared
def _rates_on(models: list[str], day: date) -> QuerySet[Rate]:
    return Rate.objects.filter(model__any=models, effective_from__lte=day)


@prepared
def _sold(models: list[str]) -> QuerySet[Rate, str]:
    return Rate.objects.filter(model__any=models).values_list("model", flat=True)


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
        type__in=["budget.exhausted", "provider.failed"],
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
