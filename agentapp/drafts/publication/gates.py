"""What every gate says about pieces that are about to leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import QuerySet

from agentapp.drafts import rules
from agentapp.drafts.models import Draft, Outbound
from agentapp.foundation import clock
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Room
from agentapp.llm.queries import budget_left
from agentapp.presence.models import Membership
from agentapp.relations.queries import left_alone
from agentapp.relations.rules import LeftAlone
from agentapp.safety.models import SafetyState
from agentapp.safety.queries import flags_of
from agentapp.safety.rules import Hold, hold


def asked(
    pieces: Sequence[Outbound], states: list[SafetyState]
) -> Iterator[tuple[Outbound, rules.Stop | None]]:
    """Ask every gate about locked pieces; say of each what stops it, if anything.

    Reads: Membership, whom agents leave alone, budgets; a fixed number of statements.

    Args:
        pieces: With draft, target, room and message.
        states: The safety flags that hold for their agents, locked.
    """
    now = clock.now()
    present = {
        (row.agent_id, row.room_id): row.state
        for row in _memberships(
            agent_ids=[piece.agent_id for piece in pieces],
            room_ids=[piece.room_id for piece in pieces],
        )
    }
    alone = left_alone(
        rooms=[piece.room_id for piece in pieces],
        people=[person_id for piece in pieces for person_id in _people(piece.draft)],
    )
    money = budget_left(pairs={(piece.agent_id, piece.draft.workspace_id) for piece in pieces})
    for piece in pieces:
        if piece.action == Outbound.Action.RETRACT:
            yield piece, None  # taking something back is never held back
            continue
        claim = replace(
            _view(piece, states, now, present, money), left_alone=_asked_for_quiet(piece, alone)
        )
        yield piece, rules.first_stop(claim, now=now)


def _view(
    piece: Outbound,
    states: list[SafetyState],
    now: datetime,
    present: dict[tuple[int, int], str],
    money: dict[int, bool],
) -> rules.Claim:
    draft = piece.draft
    own = next((s for s in states if s.agent_id == piece.agent_id), None)
    claim = rules.Claim(
        kind=draft.kind,
        hold=_hold_kind(_holding(states, piece, now)),
        restricted=tuple(own.restricted) if own else (),
        agent_status=draft.agent.status,
        expires_at=draft.expires_at,
        stale=rules.is_stale(kind=draft.kind, stale_at=draft.stale_at, newer=0, now=now),
        decided_by_owner=draft.decided_by_id is not None,
        draft_epoch=draft.epoch,
        epoch=own.epoch if own else 0,
        budget_left=money.get(piece.agent_id, True),
        is_notice=bool(draft.metadata.get("notice")),
        room_gone=piece.room.gone_at is not None,
        needs_target=draft.target_id is not None,
        target_there=draft.target is not None and draft.target.deleted_at is None,
        membership=present.get((piece.agent_id, piece.room_id), ""),
        answers_moderator=draft.metadata.get("code") == "moderation",
    )
    return _of_correction(claim, piece, now) if piece.action == Outbound.Action.EDIT else claim


def _people(draft: Draft) -> list[int | None]:
    """Return whom a draft answers."""
    author = draft.target.author if draft.target is not None else None
    return [draft.person_id, author.person_id if author is not None else None]


def _asked_for_quiet(piece: Outbound, alone: LeftAlone) -> str:
    if rules.tells_of_asking(piece.draft.metadata):
        return ""
    return alone.reason(
        room_id=piece.room_id,
        people=_people(piece.draft),
        text=piece.text,
        is_direct=piece.room.kind == Room.Kind.DIRECT,
    )


def _of_correction(claim: rules.Claim, piece: Outbound, now: datetime) -> rules.Claim:
    """View a correction: decided on when it was written, free, and about what it corrects."""
    return replace(
        claim,
        expires_at=now + timedelta(seconds=1),
        stale=False,
        decided_by_owner=True,
        draft_epoch=piece.epoch,
        budget_left=True,
        needs_target=True,
        target_there=piece.message is not None and piece.message.deleted_at is None,
    )


def _holding(states: list[SafetyState], piece: Outbound, now: datetime) -> Hold | None:
    return hold(
        (
            flags_of(state)
            for state in states
            if state.scope == "host"
            or (state.scope == "workspace" and state.workspace_id == piece.draft.workspace_id)
            or state.agent_id == piece.agent_id
        ),
        now=now,
    )


def _hold_kind(held: Hold | None) -> str:
    return held.kind if held else ""


@prepared
def _memberships(agent_ids: list[int], room_ids: list[int]) -> QuerySet[Membership]:
    return Membership.objects.filter(
        agent_id__any=agent_ids, room_id__any=room_ids, left_at__isnull=True
    )
