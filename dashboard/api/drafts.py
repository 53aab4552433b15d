"""Drafts: what agents want to do, and the owner's decisions."""

from __future__ import annotations

from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router

from agentapp.drafts import services
from agentapp.drafts.models import Draft
from agentapp.identity import policy
from agentapp.identity.models import User
from agentapp.identity.policy import Verb
from dashboard.api.agents import agent_of
from dashboard.api.callers import Scope, caller
from dashboard.api.paging import Limit, page
from dashboard.api.shapes import (
    ApproveIn,
    BulkIn,
    BulkItem,
    BulkOut,
    DraftOut,
    DraftPage,
    DraftPatch,
    RejectIn,
)

router = Router(tags=["drafts"], by_alias=True)

Type = Literal["message", "post", "comment", "reaction"]
State = Literal["pending", "approved", "published", "rejected", "expired", "failed", "retracted"]

# What a caller of the API has to know, and which exact states it covers.
READS_AS: dict[str, tuple[str, ...]] = {
    "pending": ("proposed", "pending"),
    "approved": ("approved", "publishing", "unknown"),
    "published": ("published",),
    "rejected": ("rejected", "blocked", "withdrawn"),
    "expired": ("expired",),
    "failed": ("failed",),
    "retracted": ("retracted",),
}
_STATUS_OF = {exact: name for name, states in READS_AS.items() for exact in states}


def shown(draft: Draft) -> dict[str, Any]:
    """Return a draft as the API says it; needs `agent` loaded."""
    refused = _STATUS_OF[draft.status] == "rejected"
    return {
        "id": draft.pk,
        "agent_id": draft.agent_id,
        "owner_user_id": draft.agent.owner_id,
        "type": draft.kind,
        "content": draft.text,
        "reaction_type": draft.emoji or None,
        "room_id": draft.room_id,
        "target_id": draft.target_id,
        "visibility": draft.visibility,
        "status": _STATUS_OF[draft.status],
        "state": draft.status,
        "reason": draft.reason,
        "version": draft.version,
        "content_hash": draft.content_hash,
        "created_at": draft.created_at,
        "expires_at": draft.expires_at,
        "approved_at": None if refused else draft.decided_at,
        "rejected_at": draft.decided_at if refused else None,
        "published_at": draft.published_at,
        "metadata": draft.metadata,
    }


def _visible(user: User) -> QuerySet[Draft]:
    return policy.visible(Draft, user).select_related("agent", "room")


def _draft(user: User, draft_id: int, verb: Verb) -> Draft:
    draft = policy.get(Draft, user, pk=draft_id)
    policy.require(user, verb, draft)
    return _visible(user).get(pk=draft.pk)


@router.get("/agents/{agentId}/drafts", response=DraftPage)
def list_drafts(
    request: HttpRequest,
    agentId: int,  # noqa: N803  (the wire's name)
    type: Type | None = None,
    status: State | None = None,
    cursor: str = "",
    limit: Limit = 50,
) -> dict[str, object]:
    """List an agent's drafts, the newest first."""
    user = caller(request, Scope.READ)
    agent_of(user, agentId)
    rows = _visible(user).filter(agent_id=agentId)
    if type:
        rows = rows.filter(kind=type)
    if status:
        rows = rows.filter(status__in=READS_AS[status])
    found = page(rows, cursor=cursor, limit=limit)
    return {**found, "items": [shown(draft) for draft in found["items"]]}


@router.post("/drafts/bulk-action", response=BulkOut)
def bulk(request: HttpRequest, body: BulkIn) -> BulkOut:
    """Approve or reject up to 25 drafts; each has its own result."""
    user = caller(request, Scope.APPROVE)
    found = {draft.pk: draft for draft in _visible(user).filter(pk__in=body.draft_ids)}
    mine = [found[pk] for pk in dict.fromkeys(body.draft_ids) if pk in found]
    allowed = [draft for draft in mine if policy.can(user, Verb.APPROVE, draft)]
    results = {
        result.draft_id: result
        for result in services.bulk(
            drafts=allowed, action=body.action, by=user, reason=body.reason, edits=body.edits
        )
    }
    missing = "There is nothing here, or you may not see it."
    return BulkOut(
        results=[
            BulkItem(
                draft_id=pk,
                ok=pk in results and results[pk].ok,
                status=results[pk].status if pk in results else "",
                error=results[pk].error if pk in results else missing,
            )
            for pk in dict.fromkeys(body.draft_ids)
        ]
    )


@router.get("/drafts/{draftId}", response=DraftOut)
def get_draft(request: HttpRequest, draftId: int) -> dict[str, Any]:  # noqa: N803
    """Show a draft."""
    return shown(_draft(caller(request, Scope.READ), draftId, Verb.VIEW))


@router.patch("/drafts/{draftId}", response=DraftOut)
def edit_draft(request: HttpRequest, draftId: int, body: DraftPatch) -> dict[str, Any]:  # noqa: N803
    """Change a waiting draft's text; what was there before is kept."""
    user = caller(request, Scope.APPROVE)
    draft = _draft(user, draftId, Verb.APPROVE)
    services.edit(
        draft_id=draft.pk,
        version=draft.version if body.version is None else body.version,
        text=body.content,
        emoji=body.reaction_type,
        by=user,
    )
    return shown(_draft(user, draftId, Verb.VIEW))


@router.post("/drafts/{draftId}/approve", response=DraftOut)
def approve(request: HttpRequest, draftId: int, body: ApproveIn) -> dict[str, Any]:  # noqa: N803
    """Release a waiting draft; it leaves after the seconds in which it can be undone."""
    user = caller(request, Scope.APPROVE)
    draft = _draft(user, draftId, Verb.APPROVE)
    services.approve(
        draft_id=draft.pk,
        version=draft.version if body.version is None else body.version,
        content_hash=body.content_hash or draft.content_hash,
        by=user,
        via="api",
        edits=body.edits,
    )
    return shown(_draft(user, draftId, Verb.VIEW))


@router.post("/drafts/{draftId}/reject", response=DraftOut)
def reject(request: HttpRequest, draftId: int, body: RejectIn) -> dict[str, Any]:  # noqa: N803
    """Refuse a waiting draft."""
    user = caller(request, Scope.APPROVE)
    _draft(user, draftId, Verb.APPROVE)
    services.reject(draft_id=draftId, by=user, reason=body.reason)
    return shown(_draft(user, draftId, Verb.VIEW))


@router.post("/drafts/{draftId}/undo", response=DraftOut)
def undo(request: HttpRequest, draftId: int) -> dict[str, Any]:  # noqa: N803
    """Bring an approved draft back while nothing of it has left."""
    user = caller(request, Scope.APPROVE)
    _draft(user, draftId, Verb.APPROVE)
    services.undo(draft_id=draftId, by=user)
    return shown(_draft(user, draftId, Verb.VIEW))


@router.post("/drafts/{draftId}/retract", response=DraftOut)
def retract(request: HttpRequest, draftId: int) -> dict[str, Any]:  # noqa: N803
    """Take a published draft back from its platform."""
    user = caller(request, Scope.APPROVE)
    _draft(user, draftId, Verb.APPROVE)
    services.retract(draft_id=draftId, by=user)
    return shown(_draft(user, draftId, Verb.VIEW))
