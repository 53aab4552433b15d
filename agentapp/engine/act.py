"""Ends a thought: the draft, the record, the bond and the lane in one fenced transaction."""

from __future__ import annotations

import logging

from django.db import transaction

from agentapp.drafts.errors import PendingLimitReached
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.engine import saying
from agentapp.engine.assemble import Prompt
from agentapp.engine.decide import Begun
from agentapp.engine.queries.reading import may_go_on
from agentapp.engine.think import Thought
from agentapp.foundation import faults
from agentapp.identity.models import Room
from agentapp.intake import lanes
from agentapp.memory import services as memory
from agentapp.relations import services as relations
from agentapp.turns import services as turns

logger = logging.getLogger(__name__)

SILENT = frozenset({"stopped", "nothing_left"})  # nobody is told of these


def remember(*, begun: Begun, prompt: Prompt) -> None:
    """Keep what the answered messages say about their writer, unless it is a try-out.

    Calls: the local embedding model, outside any transaction. It comes before the turn ends, so
    that work which is cut off does it again: repeating it changes nothing.
    """
    if prompt.room.is_tryout or not begun.turn.addressed or begun.turn.person_id is None:
        return
    for message_id in prompt.answered:
        memory.remember(message_id=message_id, turn_id=begun.turn.pk)


@transaction.atomic
def speak(*, begun: Begun, prompt: Prompt, thought: Thought) -> None:
    """Put the answer before the gate and end turn and lane with it.

    Writes: Lane, Draft, Turn, Relationship, Events. What happened to the agent meanwhile is
    looked at once more: a stopped one says nothing.

    Raises:
        StaleFence, TurnTaken: Another worker goes on with it. Nothing is written.
    """
    _end_lane(begun)
    turn = begun.turn
    if not may_go_on(turn=turn, lane=begun.lane):
        turns.fail(turn=turn, outcome="stopped", error="It was stopped before it could be said.")
        return
    try:
        draft = propose(
            Wish(
                turn=turn,
                agent_id=turn.agent_id,
                kind=Draft.Kind.MESSAGE,
                room_id=prompt.room.pk,
                text=thought.text,
                target_id=turn.trigger_id if prompt.room.kind != Room.Kind.DIRECT else None,
                person_id=turn.person_id,
                visibility=saying.visibility(prompt.room),
                why=turn.reasons[0]["words"] if turn.reasons else "",
                tainted=prompt.tainted,
                room_seen=prompt.through,
                epoch=turn.epoch,
            )
        )
    except PendingLimitReached as error:
        turns.fail(turn=turn, outcome=error.code, error=error.message)
        return
    faults.passing("draft.written")
    turns.finish(
        turn=turn,
        outcome=f"draft:{draft.status}",
        answer=thought.text,
        cost_micros=thought.cost_micros,
        latency_ms=thought.latency_ms,
    )
    is_exchange = turn.addressed and draft.status != Draft.Status.BLOCKED
    if turn.person_id is not None and is_exchange and not prompt.room.is_tryout:
        relations.touch(
            workspace_id=turn.workspace_id,
            agent_id=turn.agent_id,
            person_id=turn.person_id,
            is_monologue=prompt.is_monologue,
        )


@transaction.atomic
def give_up(*, begun: Begun, thought: Thought) -> None:
    """End a thought that has no answer: one honest notice if somebody waits, else silence.

    Writes: Lane, Turn (failed), Draft (the notice), Events.

    Raises:
        StaleFence, TurnTaken: Another worker goes on with it. Nothing is written.
    """
    turn = begun.turn
    # The room's lock comes before the lane's everywhere; it also makes the notice the only one.
    room = (
        Room.objects.select_for_update(no_key=True, of=("self",))
        .select_related("workspace")
        .get(pk=begun.lane.room_id)
    )
    _end_lane(begun)
    if thought.code not in SILENT:
        saying.apologise(turn=turn, room=room, code=thought.code)
    turns.fail(turn=turn, outcome=thought.code, error=thought.error, latency_ms=thought.latency_ms)


def _end_lane(begun: Begun) -> None:
    lanes.finish(claimed=begun.lane, through=int(begun.turn.context["through"]))
