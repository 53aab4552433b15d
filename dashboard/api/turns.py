"""Turns: why an agent did what it did, or did nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query

from agentapp.foundation.errors import NotFound
from agentapp.identity import policy
from agentapp.llm.models import LLMCall
from agentapp.turns.models import Turn
from dashboard.api.callers import needs, user_of
from dashboard.api.paging import Page, PageIn, page_of
from dashboard.api.shapes import Resource, Shape, TurnId

router = Resource(tags=["turns"])


class TurnShown(Shape):
    """One thought, in brief."""

    id: int
    agent_id: int
    room_id: int | None
    trigger_kind: str
    trigger_id: int | None
    status: str
    decision: str
    reasons: list[Any]
    addressed: bool
    outcome: str
    cost_micros: int
    latency_ms: int
    created_at: datetime
    finished_at: datetime | None


class CallShown(Shape):
    """One request to a model server, as it was billed."""

    id: int
    model: str
    purpose: str
    status: str
    tokens_in: int
    tokens_out: int
    cost_micros: int
    latency_ms: int


class WhyShown(TurnShown):
    """One thought with everything that went into it; `context` names what was read by its ids."""

    context: dict[str, Any]
    taint: list[Any]
    answer: str
    error: str
    steps: int
    retries: int
    draft_ids: list[int]
    calls: list[CallShown]


class TurnFilter(Shape):
    """Which thoughts."""

    agent_id: int | None = None
    room_id: int | None = None
    decision: Literal["respond", "react", "notice", "ignore"] | None = None


@router.get("/turns", response=Page[TurnShown], auth=needs("read"))
def list_turns(
    request: HttpRequest, filters: Query[TurnFilter], page: Query[PageIn]
) -> Page[TurnShown]:
    """List your agents' thoughts, the newest first."""
    wanted = filters.model_dump(exclude_none=True)
    turns = policy.visible(Turn, user_of(request)).filter(**wanted)
    found = page_of(turns, page, name="turns", **wanted)
    return Page(items=[TurnShown(**_brief(turn)) for turn in found.rows], next=found.next)


@router.get("/turns/{turnId}", response=WhyShown, auth=needs("read"))
def get_turn(request: HttpRequest, turn_id: TurnId) -> WhyShown:
    """Read why: the decision, its reasons, what was read, what it cost and what came of it."""
    turns = policy.visible(Turn, user_of(request)).prefetch_related("calls", "drafts")
    turn = turns.filter(pk=turn_id).first()
    if turn is None:
        raise NotFound
    return WhyShown(
        **_brief(turn),
        context=turn.context,
        taint=turn.taint,
        answer=turn.answer,
        error=turn.error,
        steps=turn.steps,
        retries=turn.retries,
        draft_ids=sorted(draft.pk for draft in turn.drafts.all()),
        calls=[_call(call) for call in turn.calls.all()],
    )


def _brief(turn: Turn) -> dict[str, Any]:
    return {
        "id": turn.pk,
        "agent_id": turn.agent_id,
        "room_id": turn.room_id,
        "trigger_kind": turn.trigger_kind,
        "trigger_id": turn.trigger_id,
        "status": turn.status,
        "decision": turn.decision,
        "reasons": turn.reasons,
        "addressed": turn.addressed,
        "outcome": turn.outcome,
        "cost_micros": turn.cost_micros,
        "latency_ms": turn.latency_ms,
        "created_at": turn.created_at,
        "finished_at": turn.finished_at,
    }


def _call(call: LLMCall) -> CallShown:
    return CallShown(
        id=call.pk,
        model=call.model,
        purpose=call.purpose,
        status=call.status,
        tokens_in=call.tokens_in,
        tokens_out=call.tokens_out,
        cost_micros=call.cost_micros,
        latency_ms=call.latency_ms,
    )
