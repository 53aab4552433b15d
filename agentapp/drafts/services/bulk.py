"""Deciding on several drafts at once: each by itself, with a result of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentapp.drafts import rules
from agentapp.drafts.models import Draft
from agentapp.drafts.services.deciding import approve, reject
from agentapp.foundation.errors import AgentError, Invalid
from agentapp.identity.models import User


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of one draft. `error` is empty on success."""

    draft_id: int
    ok: bool
    status: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """The version of a card that was on screen."""

    version: int
    content_hash: str


def bulk(
    *,
    drafts: Sequence[Draft],
    action: str,
    by: User,
    reason: str = "",
    edits: Mapping[int, str] | None = None,
    seen: Mapping[int, Seen] | None = None,
) -> list[BulkResult]:
    """Approve or reject up to 25 drafts; one that fails does not stop the others.

    Args:
        drafts: Rows the caller has already checked that `by` may decide on.
        seen: What was on screen per draft id; without it the rows as passed in count as seen.

    Raises:
        Invalid: More than 25, an unknown action, or private messages among them.
    """
    if len(drafts) > rules.BULK_LIMIT:
        raise Invalid(f"At most {rules.BULK_LIMIT} drafts at once.")
    if action not in {"approve", "reject"}:
        raise Invalid("The action is either approve or reject.")
    return [
        _one(draft, action=action, by=by, reason=reason, edits=edits or {}, seen=seen or {})
        for draft in drafts
    ]


def _one(
    draft: Draft,
    *,
    action: str,
    by: User,
    reason: str,
    edits: Mapping[int, str],
    seen: Mapping[int, Seen],
) -> BulkResult:
    try:
        if draft.room.kind == "direct" and action == "approve":
            raise Invalid("Private messages are approved one by one.")
        if action == "reject":
            done = reject(draft_id=draft.pk, by=by, reason=reason)
        else:
            view = seen.get(draft.pk, Seen(draft.version, draft.content_hash))
            done = approve(
                draft_id=draft.pk,
                version=view.version,
                content_hash=view.content_hash,
                by=by,
                via="bulk",
                edits=edits.get(draft.pk),
            )
    except AgentError as error:
        return BulkResult(draft_id=draft.pk, ok=False, error=error.message)
    return BulkResult(draft_id=draft.pk, ok=True, status=done.status)
