"""How an agent is, in one word with a coloured dot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agentapp.identity.models import Agent
from agentapp.safety.models import SafetyState
from agentapp.safety.queries import covering, flags_of
from agentapp.safety.rules import hold
from agentapp.turns.models import Turn


@dataclass(frozen=True, slots=True)
class StateShown:
    """Words and the dot beside them: awake, stopped or none."""

    words: str
    dot: str = ""


AWAKE = StateShown("Awake", "awake")
WRITING = StateShown("Writing", "awake")
PAUSED = StateShown("Paused")
ARCHIVED = StateShown("Archived")
SUSPENDED = StateShown("Suspended", "stopped")
MUTED = StateShown("Muted", "stopped")
ALL_PAUSED = StateShown("Paused with all", "stopped")

_HOLDS = {"suspended": SUSPENDED, "muted": MUTED, "kill_switch": ALL_PAUSED}


def states_of(agents: Sequence[Agent], *, now: datetime) -> dict[int, StateShown]:
    """Return each agent's state; two queries for any number."""
    pairs = [(agent.pk, agent.workspace_id) for agent in agents]
    rows: dict[tuple[str, int | None], list[SafetyState]] = defaultdict(list)
    for row in covering(pairs):
        rows[row.scope, row.agent_id or row.workspace_id].append(row)
    writing = set(
        Turn.objects.filter(agent__in=agents, status=Turn.Status.RUNNING).values_list(
            "agent_id", flat=True
        )
    )
    states = {}
    for agent in agents:
        own = [
            *rows["host", None],
            *rows["workspace", agent.workspace_id],
            *rows["agent", agent.pk],
        ]
        states[agent.pk] = _state(agent, own, is_writing=agent.pk in writing, now=now)
    return states


def _state(
    agent: Agent, rows: Sequence[SafetyState], *, is_writing: bool, now: datetime
) -> StateShown:
    if agent.status in {Agent.Status.ARCHIVED, Agent.Status.DELETED}:
        return ARCHIVED
    held = hold(map(flags_of, rows), now=now)
    if held is not None:
        return _HOLDS.get(held.kind, SUSPENDED)
    if agent.status == Agent.Status.PAUSED:
        return PAUSED
    return WRITING if is_writing else AWAKE
