"""Whose eyes look at a room: one agent's, or those of several for which one reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reader:
    """An agent that is in a room."""

    agent_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes these are: one login in one workspace.

    Attributes:
        agents: The agents for which it reads, itself among them, by user id.
    """

    workspace_id: int
    user_id: str
    agents: Mapping[str, Reader] = field(default_factory=dict)

    def own(self) -> Collection[str]:
        """Return the user ids of those for which it reads."""
        return self.agents.keys() or {self.user_id}
