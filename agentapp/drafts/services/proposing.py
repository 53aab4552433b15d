"""Puts what agents want to do before the gate: held back, waiting, or on its way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Max

from agentapp.conversation.models import Message
from agentapp.drafts import queries, rules
from agentapp.drafts.errors import PendingLimitReached
from agentapp.drafts.models import Draft, DraftFile, DraftRevision
from agentapp.drafts.services.consequences import follow_up
from agentapp.drafts.services.wishes import Checked, Wish, checked
from agentapp.foundation.prepared import insert_many
from agentapp.identity.models import Agent, Room, User
from agentapp.notifications.services import notify
from agentapp.relations.queries import left_alone
from agentapp.relations.rules import LeftAlone
from agentapp.safety.models import Finding
from agentapp.safety.queries import Standing, standings


def propose(wish: Wish) -> Draft:
    """Put one outward act before the gate; otherwise `propose_all`.

    Raises:
        PendingLimitReached: 50 wait already. Nothing is written; the owner is told once.
    """
    (made,) = propose_all([wish])
    if isinstance(made, PendingLimitReached):
        raise made
    return made


def propose_all(wishes: Sequence[Wish]) -> list[Draft | PendingLimitReached]:
    """Put outward acts before the gate: held back, waiting for their owners, or on their way.

    Repeating one with the same turn and ordinal returns the first draft.

    Writes: Draft, DraftRevision, Finding, Outbound (when automatic), Feedback (when held back).
    Announces: `agent.draft.created`, after commit.

    Returns:
        For each its draft, or that 50 of its agent wait already: then its owner is told once.

    Raises:
        Unspeakable, NotFound, Refused: One of them cannot be; nothing is written of any.
    """
    ready = checked(wishes)
    with transaction.atomic():
        made = _written(ready)
        for one, result in zip(ready, made, strict=True):
            if isinstance(result, PendingLimitReached):
                _tell_limit(one.agent)
    return made


def propose_by_hand(
    *,
    agent_id: int,
    kind: str,
    room_id: int,
    text: str,
    by: User,
    target_id: int | None = None,
    visibility: str = "public",
) -> Draft:
    """Let an owner write a draft for an agent; it still waits to be sent from Approvals."""
    return propose(
        Wish(
            turn=None,
            agent_id=agent_id,
            kind=kind,
            room_id=room_id,
            text=text,
            target_id=target_id,
            visibility=visibility,
            metadata={"suggestedBy": "manual", "by": by.pk},
            why=f"Written by {by}.",
        )
    )


def _written(ready: Sequence[Checked]) -> list[Draft | PendingLimitReached]:
    # Agents' rows serialise the counts against the cap.
    waiting = {one.agent.pk for one in ready if one.approval == Draft.Approval.OWNER}
    queries.locked_agent.many([{"agent_id": agent_id} for agent_id in sorted(waiting)])
    known = {draft.key: draft for draft in queries.with_keys(keys=[one.key for one in ready])}
    held = standings({(one.agent.pk, one.agent.workspace_id) for one in ready})
    alone = left_alone(
        rooms=[one.room.pk for one in ready], people=[one.wish.person_id for one in ready]
    )
    pending = queries.pending_of(waiting)
    made: list[Draft | PendingLimitReached] = []
    new: list[tuple[Checked, Draft]] = []
    for one in ready:
        draft = known.get(one.key) or _draft(one, held[one.agent.pk], alone)
        if draft._state.adding and draft.status == Draft.Status.PENDING:
            if pending[one.agent.pk] >= rules.MAX_PENDING_DRAFTS:
                made.append(PendingLimitReached())
                continue
            pending[one.agent.pk] += 1
        made.append(draft)
        if draft._state.adding:
            new.append((one, draft))
    _insert(new)
    follow_up(new)
    return made


def _insert(new: Sequence[tuple[Checked, Draft]]) -> None:
    insert_many([draft for _, draft in new])
    for one, draft in new:
        if one.files:
            DraftFile.objects.filter(pk__in=[each.pk for each in one.files]).update(draft=draft)
    insert_many(
        [DraftRevision(draft=each, n=1, text=each.text, emoji=each.emoji) for _, each in new]
    )
    findings = [
        Finding(
            workspace_id=draft.workspace_id,
            agent_id=draft.agent_id,
            target_kind="draft",
            target_id=draft.pk,
            rule=verdict.rule,
            effect=verdict.effect,
            detail=verdict.detail[:200],
        )
        for one, draft in new
        for verdict in one.verdicts
    ]
    if findings:
        Finding.objects.bulk_create(findings)


def _stop_reason(one: Checked, state: Standing, alone: LeftAlone) -> str:
    blocking = [verdict for verdict in one.verdicts if verdict.effect == "block"]
    if blocking:
        return f"Held back: {blocking[0].detail or blocking[0].rule}."
    if one.wish.epoch is not None and one.wish.epoch != state.epoch:
        return "It was thought of before a suspension."
    if asked_for := _left_alone(one, alone):
        return asked_for
    if state.hold is not None and state.hold.kind != "kill_switch":
        return f"The agent is {state.hold.kind}."
    return ""


def _left_alone(one: Checked, alone: LeftAlone) -> str:
    if rules.tells_of_asking(one.wish.metadata):
        return ""
    return alone.reason(
        room_id=one.room.pk,
        people=[one.wish.person_id],
        text=one.text,
        is_direct=one.room.kind == Room.Kind.DIRECT,
    )


def _draft(one: Checked, state: Standing, alone: LeftAlone) -> Draft:
    wish, now, rule = one.wish, state.at, one.approval
    stop = _stop_reason(one, state, alone)
    status = Draft.Status.PENDING
    if stop:
        status = Draft.Status.BLOCKED
    elif rule == Draft.Approval.AUTO:
        status = Draft.Status.APPROVED
    return Draft(
        workspace_id=one.agent.workspace_id,
        agent=one.agent,
        turn=wish.turn,
        kind=wish.kind,
        room=one.room,
        target_id=wish.target_id,
        person_id=wish.person_id,
        text=one.text,
        emoji=one.emoji,
        visibility=wish.visibility,
        metadata=wish.metadata,
        status=status,
        approval=rule,
        reason=stop,
        why=one.why,
        tainted=wish.tainted,
        file_count=len(one.files),
        content_hash=rules.content_hash(
            kind=wish.kind,
            text=one.text,
            emoji=one.emoji,
            files=[(each.name, each.sha256) for each in one.files],
        ),
        key=one.key,
        epoch=wish.epoch if wish.epoch is not None else state.epoch,
        room_seen=wish.room_seen or _newest(one),
        decided_at=now if status == Draft.Status.APPROVED else None,
        decided_via="rule" if status == Draft.Status.APPROVED else "",
        stale_at=now + rules.STALE_AFTER if wish.kind == Draft.Kind.MESSAGE else None,
        expires_at=now + _lifetime(one.agent),
    )


def _newest(one: Checked) -> int:
    said = Message.objects.filter(room=one.room)
    return said.aggregate(newest=Max("id"))["newest"] or 0


def _lifetime(agent: Agent) -> timedelta:
    days = agent.limits.get("draft_days")
    return timedelta(days=float(days)) if days else rules.EXPIRES_AFTER


def _tell_limit(agent: Agent) -> None:
    notify(
        user_id=agent.owner_id,
        workspace_id=agent.workspace_id,
        kind="draft.limit",
        subject_kind="agent",
        subject_id=agent.pk,
        text=f"{agent.name} has {rules.MAX_PENDING_DRAFTS} drafts waiting and proposes no more "
        "until you decide on some.",
    )
