"""Making drafts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Max

from agentapp.conversation.models import Message
from agentapp.drafts import outbox, queries, rules
from agentapp.drafts.errors import PendingLimitReached, Unspeakable
from agentapp.drafts.models import Draft, DraftRevision
from agentapp.drafts.trail import entry
from agentapp.events.services import record_many
from agentapp.feedback.services import reward
from agentapp.foundation.errors import NotFound, Refused
from agentapp.foundation.prepared import insert
from agentapp.foundation.text import is_visible, normalised, one_line
from agentapp.identity.models import Agent, Room, User
from agentapp.notifications.services import notify
from agentapp.safety.models import Finding
from agentapp.safety.queries import Standing, standing
from agentapp.safety.rules import Verdict
from agentapp.safety.screen import screen
from agentapp.turns.models import Turn

NOTIFY_NAMES = {
    "message": "a reply",
    "post": "a post",
    "comment": "a comment",
    "reaction": "a reaction",
}


@dataclass(frozen=True, slots=True)
class _Wish:
    """A proposal with its text made safe."""

    agent: Agent
    room: Room
    turn: Turn | None
    kind: str
    text: str
    emoji: str
    target_id: int | None
    person_id: int | None
    visibility: str
    why: str
    tainted: bool
    key: str
    room_seen: int
    epoch: int | None
    metadata: dict[str, object] = field(default_factory=dict)


def propose(
    *,
    turn: Turn | None,
    agent_id: int,
    kind: str,
    room_id: int,
    text: str = "",
    emoji: str = "",
    target_id: int | None = None,
    person_id: int | None = None,
    visibility: str = "public",
    metadata: dict[str, object] | None = None,
    why: str = "",
    tainted: bool = False,
    ordinal: int = 0,
    room_seen: int = 0,
    key: str = "",
    epoch: int | None = None,
) -> Draft:
    """Put an outward act before the gate: held back, waiting for its owner, or on its way.

    Repeating it with the same turn and ordinal returns the first draft.

    Args:
        room_seen: Last message id the agent had read; later ones make a reply stale.
        epoch: The agent's safety epoch when the thought began; None takes the present one.

    Writes: Draft, DraftRevision, Finding, Outbound (when automatic), Feedback (when held back).
    Announces: `agent.draft.created`, after commit.

    Raises:
        PendingLimitReached: 50 wait already. Nothing is written; the owner is told once.
        Unspeakable: Neither text nor emoji.
        NotFound: Agent and room lie in different workspaces.
    """
    agent = queries.agent.get(agent_id=agent_id)
    room = queries.room.get(room_id=room_id)
    if agent.workspace_id != room.workspace_id:
        raise NotFound
    wish = _Wish(
        agent=agent,
        room=room,
        turn=turn,
        kind=kind,
        text=normalised(text),
        emoji=one_line(emoji, limit=64),
        target_id=target_id,
        person_id=person_id,
        visibility=visibility,
        why=one_line(why, limit=400),
        tainted=tainted,
        key=key or (f"turn:{turn.pk}:{ordinal}" if turn else f"hand:{rules.dedupe_key()}"),
        room_seen=room_seen,
        epoch=epoch,
        metadata=metadata or {},
    )
    _refuse_impossible(wish)
    verdicts = screen(wish.text, agent_id=agent.pk, workspace_id=agent.workspace_id)
    try:
        return _write(wish, verdicts)
    except PendingLimitReached:
        _tell_limit(agent)
        raise


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


def _refuse_impossible(wish: _Wish) -> None:
    if not is_visible(wish.emoji if wish.kind == Draft.Kind.REACTION else wish.text):
        raise Unspeakable
    if wish.visibility == Draft.Visibility.FRIENDS and wish.room.visibility == "public":
        raise Refused("Not everybody who can read this room is a contact of the agent.")
    if wish.target_id is not None and not queries.target(
        message_id=wish.target_id, room_id=wish.room.pk
    ):
        raise NotFound("The message this refers to is not in that room.")


@transaction.atomic
def _write(wish: _Wish, verdicts: list[Verdict]) -> Draft:
    rule = _approval(wish, verdicts)
    if rule == Draft.Approval.OWNER:
        # The agent's row serialises the count against the cap.
        queries.locked_agent(agent_id=wish.agent.pk)
    known = queries.with_key.first(key=wish.key)
    if known is not None:
        return known
    now_standing = standing(agent_id=wish.agent.pk, workspace_id=wish.agent.workspace_id)
    stop = _stop_reason(wish, verdicts, now_standing)
    if rule == Draft.Approval.OWNER and not stop:
        _check_cap(wish.agent)
    draft = _insert(wish, rule=rule, stop=stop, standing=now_standing)
    insert(DraftRevision(draft=draft, n=1, text=draft.text, emoji=draft.emoji))
    if verdicts:
        _note_findings(draft, verdicts)
    _follow_up(draft, wish, bool(verdicts))
    return draft


def _approval(wish: _Wish, verdicts: list[Verdict]) -> str:
    return rules.approval(
        rules.Proposal(
            kind=wish.kind,
            own_rule=str(wish.agent.approval_rules.get(wish.kind, "")),
            reply_mode=wish.room.reply_mode,
            is_reply=wish.turn is not None and wish.turn.room_id == wish.room.pk,
            is_notice=bool(wish.metadata.get("notice")),
            tainted=wish.tainted,
            asks_by_screen=any(verdict.effect == "ask" for verdict in verdicts),
        )
    )


def _stop_reason(wish: _Wish, verdicts: list[Verdict], state: Standing) -> str:
    blocking = [verdict for verdict in verdicts if verdict.effect == "block"]
    if blocking:
        return f"Held back: {blocking[0].detail or blocking[0].rule}."
    if wish.epoch is not None and wish.epoch != state.epoch:
        return "It was thought of before a suspension."
    if state.hold is not None and state.hold.kind != "kill_switch":
        return f"The agent is {state.hold.kind}."
    return ""


def _check_cap(agent: Agent) -> None:
    pending = Draft.objects.filter(agent=agent, status=Draft.Status.PENDING).count()
    if pending >= rules.MAX_PENDING_DRAFTS:
        raise PendingLimitReached


def _insert(wish: _Wish, *, rule: str, stop: str, standing: Standing) -> Draft:
    now = standing.at
    status = Draft.Status.PENDING
    if stop:
        status = Draft.Status.BLOCKED
    elif rule == Draft.Approval.AUTO:
        status = Draft.Status.APPROVED
    newest = wish.room_seen or (
        Message.objects.filter(room=wish.room).aggregate(newest=Max("id"))["newest"] or 0
    )
    draft = Draft(
        workspace_id=wish.agent.workspace_id,
        agent=wish.agent,
        turn=wish.turn,
        kind=wish.kind,
        room=wish.room,
        target_id=wish.target_id,
        person_id=wish.person_id,
        text=wish.text,
        emoji=wish.emoji,
        visibility=wish.visibility,
        metadata=wish.metadata,
        status=status,
        approval=rule,
        reason=stop,
        why=wish.why,
        tainted=wish.tainted,
        content_hash=rules.content_hash(kind=wish.kind, text=wish.text, emoji=wish.emoji),
        key=wish.key,
        epoch=wish.epoch if wish.epoch is not None else standing.epoch,
        room_seen=newest,
        decided_at=now if status == Draft.Status.APPROVED else None,
        decided_via="rule" if status == Draft.Status.APPROVED else "",
        stale_at=now + rules.STALE_AFTER if wish.kind == Draft.Kind.MESSAGE else None,
        expires_at=now + _lifetime(wish),
    )
    return insert(draft)


def _lifetime(wish: _Wish) -> timedelta:
    days = wish.agent.limits.get("draft_days")
    return timedelta(days=float(days)) if days else rules.EXPIRES_AFTER


def _note_findings(draft: Draft, verdicts: list[Verdict]) -> None:
    Finding.objects.bulk_create(
        Finding(
            workspace_id=draft.workspace_id,
            agent_id=draft.agent_id,
            target_kind="draft",
            target_id=draft.pk,
            rule=verdict.rule,
            effect=verdict.effect,
            detail=verdict.detail[:200],
        )
        for verdict in verdicts
    )


def _follow_up(draft: Draft, wish: _Wish, screened: bool) -> None:
    created = entry(draft, "created", approval=draft.approval)
    if draft.status == Draft.Status.APPROVED:
        outbox.queue(draft, delay_seconds=0)
        kinds = ("approved", f"{draft.kind}.approved")
        record_many([created, *(entry(draft, kind, via="rule") for kind in kinds)])
    elif draft.status == Draft.Status.BLOCKED:
        record_many([created, entry(draft, "blocked", reason=draft.reason)])
        if screened:
            reward(
                agent_id=draft.agent_id,
                workspace_id=draft.workspace_id,
                target_kind="draft",
                target_id=draft.pk,
                source="moderation.content.blocked",
                value=rules.REWARD_BLOCKED,
                note=draft.reason,
            )
    else:
        record_many([created])
        notify(
            user_id=wish.agent.owner_id,
            workspace_id=draft.workspace_id,
            kind="draft.pending",
            subject_kind="draft",
            subject_id=draft.pk,
            text=f"{wish.agent.name} wants to send {NOTIFY_NAMES[draft.kind]} in {wish.room}.",
        )


def _tell_limit(agent: Agent) -> None:
    with transaction.atomic():
        notify(
            user_id=agent.owner_id,
            workspace_id=agent.workspace_id,
            kind="draft.limit",
            subject_kind="agent",
            subject_id=agent.pk,
            text=f"{agent.name} has {rules.MAX_PENDING_DRAFTS} drafts waiting and proposes no more "
            "until you decide on some.",
        )
