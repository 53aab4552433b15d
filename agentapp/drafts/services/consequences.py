"""What follows from drafts that were just made: pieces, events, notes and rewards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentapp.drafts import outbox, rules
from agentapp.drafts.models import Draft
from agentapp.drafts.services.wishes import Checked
from agentapp.drafts.trail import entry
from agentapp.events.models import Event
from agentapp.events.services import record_many
from agentapp.feedback.services import reward
from agentapp.notifications.services import notify

NOTIFY_NAMES = {
    "message": "a reply",
    "post": "a post",
    "comment": "a comment",
    "reaction": "a reaction",
}


def follow_up(new: Sequence[tuple[Checked, Draft]]) -> None:
    """Send on what needs nobody, tell owners of what waits, note what was held back.

    Writes: Outbound, Notification, Feedback, Events; inside the caller's transaction.
    """
    outbox.queue_all(
        [draft for _, draft in new if draft.status == Draft.Status.APPROVED], delay_seconds=0
    )
    record_many(event for _, draft in new for event in _entries(draft))
    for one, draft in new:
        if draft.status == Draft.Status.BLOCKED and one.verdicts:
            _reward_for_blocked(draft)
        elif draft.status == Draft.Status.PENDING:
            _tell_owner(one, draft)


def _entries(draft: Draft) -> Iterator[Event]:
    yield entry(draft, "created", approval=draft.approval)
    if draft.status == Draft.Status.APPROVED:
        yield entry(draft, "approved", via="rule")
        yield entry(draft, f"{draft.kind}.approved", via="rule")
    elif draft.status == Draft.Status.BLOCKED:
        yield entry(draft, "blocked", reason=draft.reason)


def _reward_for_blocked(draft: Draft) -> None:
    reward(
        agent_id=draft.agent_id,
        workspace_id=draft.workspace_id,
        target_kind="draft",
        target_id=draft.pk,
        source="moderation.content.blocked",
        value=rules.REWARD_BLOCKED,
        note=draft.reason,
    )


def _tell_owner(one: Checked, draft: Draft) -> None:
    notify(
        user_id=one.agent.owner_id,
        workspace_id=draft.workspace_id,
        kind="draft.pending",
        subject_kind="draft",
        subject_id=draft.pk,
        text=f"{one.agent.name} wants to send {NOTIFY_NAMES[draft.kind]} in {one.room}.",
    )
