"""What was spent and what is left, in numbers and in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from agentapp.foundation.units import dollars
from agentapp.identity.models import Workspace
from agentapp.llm import queries
from agentapp.llm.queries import AgentSpend
from dashboard.presenters.faces import Face, agent_face


@dataclass(frozen=True, slots=True)
class SpendShown:
    """Today's money. `used_micros` counts what is set aside as well."""

    spent_micros: int
    reserved_micros: int
    used_micros: int
    limit_micros: int
    words: str


@dataclass(frozen=True, slots=True)
class AgentSpendShown:
    """One agent's row of the costs."""

    face: Face
    today: int
    month: int
    calls: int
    days: list[int]
    spark_words: str


def show_spend(workspace: Workspace) -> SpendShown:
    """Return today's spend of a workspace; three queries."""
    today = queries.spend_today(workspace)
    used = today.spent + today.reserved
    return SpendShown(
        spent_micros=today.spent,
        reserved_micros=today.reserved,
        used_micros=used,
        limit_micros=today.limit,
        words=_words(left=today.limit - used, limit=today.limit),
    )


def _words(*, left: int, limit: int) -> str:
    if limit <= 0:
        return "The budget is zero: no model is asked."
    if left <= 0:
        return "Used up. Agents are silent until midnight, or until you raise the budget."
    return f"{dollars(left)} left until midnight."


def show_agent_spend(workspace: Workspace) -> list[AgentSpendShown]:
    """Return the agents that cost something in 30 days, the dearest first; three queries."""
    return [_row(row) for row in queries.spend_by_agent(workspace)]


def _row(row: AgentSpend) -> AgentSpendShown:
    return AgentSpendShown(
        face=agent_face(row.agent),
        today=row.today,
        month=row.month,
        calls=row.calls,
        days=row.days,
        spark_words=f"{dollars(sum(row.days))} in {len(row.days)} days",
    )
