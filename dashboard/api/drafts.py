"""Drafts: what agents want to do, and what their owners decide."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Field, Query

from agentapp.drafts import services as drafts
from agentapp.drafts.models import Draft
from agentapp.drafts.rules import BULK_LIMIT
from agentapp.drafts.services import BulkResult
from agentapp.foundation.errors import NotFound
from agentapp.identity import policy
from agentapp.identity.models import Agent, User
from agentapp.identity.policy import Verb
from dashboard.api.callers import needs, user_of
from dashboard.api.once import commits_by_itself
from dashboard.api.paging import Page, PageIn, page_of
from dashboard.api.shapes import AgentId, DraftId, Given, Resource, Shape

router = Resource(tags=["drafts"])

MAX_TEXT = 100_000  # characters accepted; what is kept is normalised and shortened

DraftType = Literal["message", "post", "comment", "reaction", "friend_request"]
DraftState = Literal[
    "pending", "approved", "rejected", "expired", "published", "failed", "retracted"
]
ReactionType = Literal["like", "love", "haha", "sad", "angry"]

# Our finer states as programs read them; `reason` then says what happened.
READS_AS: dict[str, DraftState] = {
    Draft.Status.PROPOSED: "pending",
    Draft.Status.PENDING: "pending",
    Draft.Status.APPROVED: "approved",
    Draft.Status.PUBLISHING: "approved",
    Draft.Status.UNKNOWN: "approved",
    Draft.Status.PUBLISHED: "published",
    Draft.Status.REJECTED: "rejected",
    Draft.Status.BLOCKED: "rejected",
    Draft.Status.WITHDRAWN: "rejected",
    Draft.Status.EXPIRED: "expired",
    Draft.Status.FAILED: "failed",
    Draft.Status.RETRACTED: "retracted",
}
_WORDS = {
    Draft.Status.BLOCKED: "It was held back.",
    Draft.Status.WITHDRAWN: "It was withdrawn.",
    Draft.Status.REJECTED: "",
}
EMOJI: dict[ReactionType, str] = {
    "like": "👍",
    "love": "❤️",
    "haha": "😂",
    "sad": "😢",
    "angry": "😠",
}
_REACTION = {emoji: name for name, emoji in EMOJI.items()} | {"❤": "love"}


class DraftShown(Shape):
    """A proposed outward act. `state` is our own, finer status."""

    id: int
    agent_id: int
    owner_user_id: int
    room_id: int
    turn_id: int | None
    type: str
    content: str
    status: DraftState
    state: str
    visibility: str
    media_ids: list[str]
    version: int
    content_hash: str
    why: str
    tainted: bool
    created_at: datetime
    expires_at: datetime
    approved_at: datetime | None
    rejected_at: datetime | None
    published_at: datetime | None
    rejection_reason: str | None
    metadata: dict[str, Any]
    post_id: int | None = Field(None, description="of a comment: what it answers")
    target_type: Literal["post", "comment"] | None = Field(None, description="of a reaction")
    target_id: int | None = Field(None, description="of a reaction: the message")
    reaction_type: ReactionType | None = Field(None, description="of a reaction we have a word for")
    emoji: str | None = Field(None, description="of a reaction")


class DraftFilter(Shape):
    """Which drafts."""

    type: DraftType | None = None
    status: DraftState | None = None


class DraftChange(Given):
    """Another text, or for a reaction another emoji. `version` refuses what changed meanwhile."""

    content: str | None = Field(None, max_length=MAX_TEXT)
    reaction_type: ReactionType | None = None
    emoji: str | None = Field(None, max_length=64)
    version: int | None = None


class Edits(Given):
    """What an approval changes on the way."""

    content: str = Field(max_length=MAX_TEXT)


class Approval(Given):
    """A yes. With `version` or `contentHash` it holds only for what was seen."""

    edits: Edits | None = None
    version: int | None = None
    content_hash: str | None = Field(None, max_length=64)


class Rejection(Given):
    """A no, and why."""

    reason: str = Field("", max_length=400)


class BulkAction(Given):
    """One decision on up to 25 drafts."""

    draft_ids: list[int] = Field(min_length=1, max_length=BULK_LIMIT)
    action: Literal["approve", "reject"]
    reason: str = Field("", max_length=400)
    edits: dict[int, Edits] = Field(default_factory=dict, max_length=BULK_LIMIT)


class BulkItem(Shape):
    """What became of one draft."""

    draft_id: int
    ok: bool
    status: DraftState | None
    error: str | None


class BulkAnswer(Shape):
    """What became of each, in the order asked for."""

    results: list[BulkItem]


@router.get("/agents/{agentId}/drafts", response=Page[DraftShown], auth=needs("read"))
def list_drafts(
    request: HttpRequest, agent_id: AgentId, filters: Query[DraftFilter], page: Query[PageIn]
) -> Page[DraftShown]:
    """List an agent's drafts, the newest first. Friend requests do not exist on web rooms."""
    user = user_of(request)
    agent = policy.get(Agent, user, pk=agent_id)
    policy.require(user, Verb.APPROVE, agent)
    rows = _seen(user).filter(agent=agent)
    if filters.type is not None:
        rows = rows.filter(kind=filters.type)
    if filters.status is not None:
        ours = [state for state, reads in READS_AS.items() if reads == filters.status]
        rows = rows.filter(status__in=ours)
    found = page_of(rows, page, name="drafts", agent=agent.pk, **filters.model_dump())
    return Page(items=[_show(draft) for draft in found.rows], next=found.next)


@router.post("/drafts/bulk-action", response=BulkAnswer, auth=needs("approve"))
def decide_drafts(request: HttpRequest, body: BulkAction) -> BulkAnswer:
    """Decide on several drafts; each has a result of its own."""
    user = user_of(request)
    wanted = list(dict.fromkeys(body.draft_ids))
    rows = {draft.pk: draft for draft in _seen(user).filter(pk__in=wanted)}
    allowed = [rows[pk] for pk in wanted if pk in rows and policy.can(user, Verb.APPROVE, rows[pk])]
    done = drafts.bulk(
        drafts=allowed,
        action=body.action,
        by=user,
        reason=body.reason,
        edits={pk: edits.content for pk, edits in body.edits.items()},
    )
    results = {result.draft_id: _result(result) for result in done}
    return BulkAnswer(results=[results.get(pk) or _missing(pk) for pk in wanted])


@router.get("/drafts/{draftId}", response=DraftShown, auth=needs("read"))
def get_draft(request: HttpRequest, draft_id: DraftId) -> DraftShown:
    """Read one draft."""
    return _shown(user_of(request), draft_id)


@router.patch("/drafts/{draftId}", response=DraftShown, auth=needs("approve"))
def change_draft(request: HttpRequest, draft_id: DraftId, body: DraftChange) -> DraftShown:
    """Change a waiting draft; what was there before is kept as a revision."""
    user = user_of(request)
    draft = _decidable(user, draft_id)
    drafts.edit(
        draft_id=draft.pk,
        version=body.version if body.version is not None else draft.version,
        text=body.content,
        emoji=EMOJI[body.reaction_type] if body.reaction_type else body.emoji,
        by=user,
    )
    return _shown(user, draft_id)


@router.post("/drafts/{draftId}/approve", response=DraftShown, auth=needs("approve"))
@commits_by_itself
def approve_draft(request: HttpRequest, draft_id: DraftId, body: Approval) -> DraftShown:
    """Release a waiting draft; it can be undone for a few seconds."""
    user = user_of(request)
    draft = _decidable(user, draft_id)
    drafts.approve(
        draft_id=draft.pk,
        version=body.version if body.version is not None else draft.version,
        content_hash=body.content_hash or draft.content_hash,
        by=user,
        via="api",
        edits=body.edits.content if body.edits else None,
    )
    return _shown(user, draft_id)


@router.post("/drafts/{draftId}/reject", response=DraftShown, auth=needs("approve"))
def reject_draft(request: HttpRequest, draft_id: DraftId, body: Rejection) -> DraftShown:
    """Refuse a waiting draft."""
    user = user_of(request)
    drafts.reject(draft_id=_decidable(user, draft_id).pk, by=user, reason=body.reason)
    return _shown(user, draft_id)


@router.post("/drafts/{draftId}/undo", response=DraftShown, auth=needs("approve"))
def undo_draft(request: HttpRequest, draft_id: DraftId) -> DraftShown:
    """Bring an approved draft back to waiting, while nothing of it has left."""
    user = user_of(request)
    drafts.undo(draft_id=_decidable(user, draft_id).pk, by=user)
    return _shown(user, draft_id)


def _seen(user: User) -> QuerySet[Draft]:
    return policy.visible(Draft, user).select_related("agent", "room", "target")


def _decidable(user: User, draft_id: int) -> Draft:
    draft = policy.get(Draft, user, pk=draft_id)
    policy.require(user, Verb.APPROVE, draft)
    return draft


def _shown(user: User, draft_id: int) -> DraftShown:
    draft = _seen(user).filter(pk=draft_id).first()
    if draft is None:
        raise NotFound
    return _show(draft)


def _show(draft: Draft) -> DraftShown:
    status = READS_AS[draft.status]
    decided = draft.decided_at
    is_reaction = draft.kind == Draft.Kind.REACTION
    return DraftShown(
        id=draft.pk,
        agent_id=draft.agent_id,
        owner_user_id=draft.agent.owner_id,
        room_id=draft.room_id,
        turn_id=draft.turn_id,
        type=draft.kind,
        content=draft.text,
        status=status,
        state=draft.status,
        visibility=draft.visibility,
        media_ids=[],
        version=draft.version,
        content_hash=draft.content_hash,
        why=draft.why,
        tainted=draft.tainted,
        created_at=draft.created_at,
        expires_at=draft.expires_at,
        approved_at=decided if status in {"approved", "published", "failed"} else None,
        rejected_at=decided if status == "rejected" else None,
        published_at=draft.published_at,
        rejection_reason=_reason(draft) if status == "rejected" else None,
        metadata=_metadata(draft),
        post_id=draft.target_id if draft.kind == Draft.Kind.COMMENT else None,
        target_type=_target_type(draft) if is_reaction else None,
        target_id=draft.target_id if is_reaction else None,
        reaction_type=_REACTION.get(draft.emoji) if is_reaction else None,
        emoji=draft.emoji if is_reaction else None,
    )


def _reason(draft: Draft) -> str:
    return draft.reason or _WORDS[Draft.Status(draft.status)]


def _target_type(draft: Draft) -> Literal["post", "comment"]:
    is_answer = draft.target is not None and draft.target.reply_to_id is not None
    return "comment" if is_answer else "post"


def _metadata(draft: Draft) -> dict[str, Any]:
    origin = "ai_gateway" if draft.turn_id else "manual"
    return {"suggestedBy": origin, "context": {"turnId": draft.turn_id}, **draft.metadata}


def _result(result: BulkResult) -> BulkItem:
    return BulkItem(
        draft_id=result.draft_id,
        ok=result.ok,
        status=READS_AS[result.status] if result.status else None,
        error=result.error or None,
    )


def _missing(draft_id: int) -> BulkItem:
    return BulkItem(draft_id=draft_id, ok=False, status=None, error=NotFound().message)
