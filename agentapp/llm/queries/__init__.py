"""Reads about providers, prices, budgets and what was spent."""

from __future__ import annotations

from agentapp.llm.queries.budgets import (
    DEFAULT_DAY_MICROS,
    Alert,
    BudgetState,
    alerts,
    budget_left,
    budget_levels,
    budget_state,
    level_of,
    spends,
    today_in,
)
from agentapp.llm.queries.providers import (
    default_provider,
    has_provider,
    is_free,
    may_read_pictures,
    price_of,
    providers_of,
    workspace_row,
)
from agentapp.llm.queries.spending import (
    AgentSpend,
    DaySpend,
    SpendView,
    recent_calls,
    spend_by_agent,
    spend_by_day,
    spend_today,
)

__all__ = [
    "DEFAULT_DAY_MICROS",
    "AgentSpend",
    "Alert",
    "BudgetState",
    "DaySpend",
    "SpendView",
    "alerts",
    "budget_left",
    "budget_levels",
    "budget_state",
    "default_provider",
    "has_provider",
    "is_free",
    "level_of",
    "may_read_pictures",
    "price_of",
    "providers_of",
    "recent_calls",
    "spend_by_agent",
    "spend_by_day",
    "spend_today",
    "spends",
    "today_in",
    "workspace_row",
]
