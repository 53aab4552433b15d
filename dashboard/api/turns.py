"""Decisions: what agents did or left, and why."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from agentapp.identity import policy
from agentapp.turns.models import Turn
from dashboard.api.agents import agent_of
from dashboard.api.callers import Scope, caller
from dashboard.api.paging import Limit, page
from dashboard.api.shapes import TurnDetail, TurnPage

router = Router(tags=["decisions"], by_alias=True)


@router.get("/agents/{agentId}/turns", response=TurnPage)
def list_turns(
    request: HttpRequest,
    agentId: int,  # noqa: N803  (the wire's name)
    cursor: str = "",
    limit: Limit = 50,
) -> dict[str, object]:
    """List an agent's decisions, the newest first; those to stay silent too."""
    user = caller(request, Scope.READ)
    agent_of(user, agentId)
    return page(policy.visible(Turn, user).filter(agent_id=agentId), cursor=cursor, limit=limit)


@router.get("/turns/{turnId}", response=TurnDetail)
def get_turn(request: HttpRequest, turnId: int) -> Turn:  # noqa: N803
    """Show why: what was read, each step with its cost, and what came of it."""
    return policy.get(Turn, caller(request, Scope.READ), pk=turnId)
