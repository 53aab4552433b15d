"""Reading what holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from agentapp.foundation import clock
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Agent
from agentapp.safety.models import SafetyState
from agentapp.safety.rules import Flags, Hold, hold


@dataclass(frozen=True, slots=True)
class Standing:
    """An agent's safety at one moment: what holds it, and the epoch of its stops."""

    hold: Hold | None
    epoch: int
    restricted: tuple[str, ...]
    at: datetime


def flags_of(state: SafetyState) -> Flags:
    """Return a row as the rules see it."""
    return Flags(
        scope=state.scope,
        is_stopped=state.is_stopped,
        suspended_until=state.suspended_until,
        muted_until=state.muted_until,
        restricted=tuple(state.restricted),
        reason=state.reason,
    )


def covering(agents: Iterable[tuple[int, int]]) -> list[SafetyState]:
    """Return the rows that concern (agent id, workspace id) pairs, by their ids. One query."""
    pairs = list(agents)
    return _covering(
        agent_ids=list({agent for agent, _ in pairs}),
        workspace_ids=list({workspace for _, workspace in pairs}),
    )


@prepared
def _covering(agent_ids: list[int], workspace_ids: list[int]) -> QuerySet[SafetyState]:
    return SafetyState.objects.filter(
        Q(scope="host")
        | Q(scope="workspace", workspace_id__any=workspace_ids)
        | Q(scope="agent", agent_id__any=agent_ids)
    ).order_by("id")


def standing(*, agent_id: int, workspace_id: int) -> Standing:
    """Return what holds an agent now. Two queries: the rows and the time."""
    return standings([(agent_id, workspace_id)])[agent_id]


def standings(agents: Iterable[tuple[int, int]]) -> dict[int, Standing]:
    """Return what holds agents now, from (agent id, workspace id) pairs. Two queries."""
    pairs = list(agents)
    rows = covering(pairs)
    now = clock.now()
    return {
        agent_id: _standing(rows, agent_id, workspace_id, now) for agent_id, workspace_id in pairs
    }


def _standing(rows: list[SafetyState], agent_id: int, workspace_id: int, now: datetime) -> Standing:
    mine = [
        row
        for row in rows
        if row.scope == "host"
        or (row.scope == "workspace" and row.workspace_id == workspace_id)
        or (row.scope == "agent" and row.agent_id == agent_id)
    ]
    own = next((row for row in mine if row.scope == "agent"), None)
    return Standing(
        hold=hold(map(flags_of, mine), now=now),
        epoch=own.epoch if own else 0,
        restricted=tuple(own.restricted) if own else (),
        at=now,
    )


def state_for(agent_id: int) -> Hold | None:
    """Return what holds an agent now, or None when it is free."""
    workspace_id = Agent.objects.values_list("workspace_id", flat=True).get(pk=agent_id)
    return standing(agent_id=agent_id, workspace_id=workspace_id).hold


def stopped_workspaces(workspace_ids: Iterable[int]) -> set[int]:
    """Return which of these workspaces are stopped, by their own switch or the host's."""
    ids = set(workspace_ids)
    rows = SafetyState.objects.filter(is_stopped=True).filter(
        Q(scope="host") | Q(scope="workspace", workspace_id__in=ids)
    )
    stopped: set[int] = set()
    for row in rows:
        stopped |= ids if row.scope == "host" else {row.workspace_id or 0}
    return stopped
