"""Puts fixed sentences before the gate when an agent cannot answer."""

from __future__ import annotations

from datetime import timedelta

from agentapp.drafts.errors import PendingLimitReached
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.engine.rules import notices
from agentapp.foundation.clock import GreenroomNow
from agentapp.identity import limits
from agentapp.identity.models import Room
from agentapp.turns.models import Turn

NOTICE_ORDINAL = 9  # beside the answer's 0, so that a turn has at most one of each


def apologise(*, turn: Turn, room: Room, code: str) -> bool:
    """Say once that there is no answer, if somebody is waiting for one.

    Call it in the transaction that ends the turn, with the room locked: at most one notice per
    room and `notice_minutes`, whichever agent fails.

    Returns:
        Whether a notice was proposed.
    """
    if not turn.addressed or _said_lately(room):
        return False
    try:
        propose(
            Wish(
                turn=turn,
                agent_id=turn.agent_id,
                kind=Draft.Kind.MESSAGE,
                room_id=room.pk,
                text=notices.words_for(code),
                target_id=turn.trigger_id,
                person_id=turn.person_id,
                visibility=visibility(room),
                metadata={"notice": True, "code": code},
                why="It could not answer.",
                ordinal=NOTICE_ORDINAL,
                epoch=turn.epoch,
            )
        )
    except PendingLimitReached:
        return False
    return True


def visibility(room: Room) -> str:
    """Return a draft's visibility in a room."""
    if room.visibility == Room.Visibility.PUBLIC and room.kind != Room.Kind.DIRECT:
        return Draft.Visibility.PUBLIC
    return Draft.Visibility.PRIVATE


def _said_lately(room: Room) -> bool:
    minutes = limits.effective(
        "notice_minutes", workspace=room.workspace.limits, room=room.limits
    ).value
    return Draft.objects.filter(
        room=room,
        metadata__notice=True,
        created_at__gt=GreenroomNow() - timedelta(minutes=minutes),
    ).exists()
