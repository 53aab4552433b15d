"""Looks at a text that is about to leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Agent
from agentapp.safety.models import PolicyRule
from agentapp.safety.rules import Phrase, Verdict, screened


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text and the agent that wants to say it."""

    text: str
    agent: Agent


def screen(text: str, *, agent: Agent) -> list[Verdict]:
    """Return what speaks against sending one text; otherwise `screen_all`."""
    return screen_all([Outgoing(text, agent)])[0]


def screen_all(texts: Sequence[Outgoing]) -> list[list[Verdict]]:
    """Return what speaks against sending, by fixed rules and the workspaces' own. One query."""
    rows = _rules.many(
        [{"agent_id": each.agent.pk, "workspace_id": each.agent.workspace_id} for each in texts]
    )
    return [
        screened(each.text, phrases=[Phrase(text=row.phrase, effect=row.effect) for row in own])
        for each, own in zip(texts, rows, strict=True)
    ]


@prepared
def _rules(agent_id: int, workspace_id: int) -> QuerySet[PolicyRule]:
    return PolicyRule.objects.filter(workspace_id=workspace_id).filter(
        Q(agent_id=agent_id) | Q(agent__isnull=True)
    )
