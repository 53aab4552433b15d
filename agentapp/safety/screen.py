"""Looks at a text that is about to leave."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from agentapp.foundation.prepared import prepared
from agentapp.safety.models import PolicyRule
from agentapp.safety.rules import Phrase, Verdict, screened


def screen(text: str, *, agent_id: int, workspace_id: int) -> list[Verdict]:
    """Return what speaks against sending, by fixed rules and the workspace's own. One query."""
    rows = _rules(agent_id=agent_id, workspace_id=workspace_id)
    phrases = [Phrase(text=row.phrase, effect=row.effect) for row in rows]
    return screened(text, phrases=phrases)


@prepared
def _rules(agent_id: int, workspace_id: int) -> QuerySet[PolicyRule]:
    return PolicyRule.objects.filter(workspace_id=workspace_id).filter(
        Q(agent_id=agent_id) | Q(agent__isnull=True)
    )
