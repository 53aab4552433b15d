"""Writes what decisions come to: thoughts that begin, reactions, notices, and silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentapp.conversation import services as conversation
from agentapp.drafts.errors import PendingLimitReached
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.engine import saying
from agentapp.engine.queries.picture import Picture
from agentapp.engine.rules.views import Action, Decision
from agentapp.intake import lanes
from agentapp.intake.lanes import ClaimedLane
from agentapp.turns import services as turns
from agentapp.turns.models import Turn
from agentapp.turns.services import Decided

BURST_SHOWN = 50  # ids of a burst that its turn keeps


@dataclass(frozen=True, slots=True)
class Begun:
    """A turn that wants a model's words, and the lane it came from."""

    turn: Turn
    lane: ClaimedLane


@dataclass(frozen=True, slots=True)
class Made:
    """What was decided on a lane: nothing, one thing, or to go on with what was begun.

    Attributes:
        burst: The messages it was decided on.
        taken_up: A thought whose worker died; what stops it is checked while it goes on.
    """

    lane: ClaimedLane
    picture: Picture
    decision: Decision | None = None
    burst: Sequence[int] = ()
    taken_up: Turn | None = None

    @property
    def through(self) -> int:
        """Return up to which message the lane is decided."""
        through = self.decision.through if self.decision else 0
        return through or self.picture.through

    @property
    def is_silent(self) -> bool:
        """Return whether nothing but the decision itself is to be written."""
        decision = self.decision
        if decision is None or decision.action in {Action.RESPOND, Action.REACT}:
            return False
        return not (decision.code == "budget_exhausted" and decision.addressed)


def carry_out(made: Sequence[Made]) -> list[Begun]:
    """Write decisions, in the transaction that holds their rooms' locks.

    Writes: Turn, Lane, FeedItem, Draft, Events; in a number of statements that does not grow with
    the decisions, reactions and notices excepted.

    Returns:
        The turns that want a model; their lanes stay claimed.
    """
    silent = [one for one in made if one.is_silent]
    turns.record_silent(decided=[_decided(one) for one in silent])
    conversation.notice(items=[_noticed(one) for one in silent if _is_noticed(one)])
    loud = [one for one in made if one.decision is not None and not one.is_silent]
    begun = []
    for one, turn in zip(loud, turns.start([_decided(one) for one in loud]), strict=True):
        decision = _of(one)
        if decision.action is Action.RESPOND:
            begun.append(Begun(turn, one.lane))
        elif decision.action is Action.REACT:
            _react(turn, decision, one.picture)
        else:
            saying.apologise(turn=turn, room=one.picture.room, code=decision.code)
            turns.finish([turns.Finished(turn, decision.code)])
    begun += [
        Begun(turns.resume(turn=one.taken_up, fence=one.lane.fence), one.lane)
        for one in made
        if one.taken_up is not None
    ]
    thinking = {each.lane.id for each in begun}
    lanes.finish_all((one.lane.id, one.through) for one in made if one.lane.id not in thinking)
    return begun


def _of(one: Made) -> Decision:
    if one.decision is None:
        raise LookupError("nothing was decided on this lane")
    return one.decision


def _is_noticed(one: Made) -> bool:
    return _of(one).action is Action.NOTICE


def _noticed(one: Made) -> tuple[int, int, str]:
    decision = _of(one)
    return one.lane.agent_id, decision.trigger.id, decision.reasons[0].words


def _react(turn: Turn, decision: Decision, picture: Picture) -> None:
    try:
        draft = propose(
            Wish(
                turn=turn,
                agent_id=turn.agent_id,
                kind=Draft.Kind.REACTION,
                room_id=picture.room.pk,
                emoji=decision.emoji,
                target_id=decision.trigger.id,
                person_id=turn.person_id,
                visibility=saying.visibility(picture.room),
                why=decision.reasons[0].words,
                room_seen=picture.through,
                epoch=turn.epoch,
            )
        )
    except PendingLimitReached as error:
        turns.fail(turn=turn, outcome=error.code, error=error.message)
        return
    turns.finish([turns.Finished(turn, f"reaction:{draft.status}")])


def _decided(one: Made) -> Decided:
    decision, lane = _of(one), one.lane
    return Decided(
        workspace_id=lane.workspace_id,
        agent_id=lane.agent_id,
        room_id=lane.room_id,
        trigger_id=decision.trigger.id,
        decision=decision.action,
        reasons=decision.reasons,
        addressed=decision.addressed,
        person_id=decision.trigger.person_id,
        outcome="" if decision.action is Action.RESPOND else decision.code,
        context={
            "through": one.through,
            "covers": list(decision.covers),
            "burst": list(one.burst)[-BURST_SHOWN:],
        },
        fence=lane.fence,
        epoch=one.picture.epochs.get(lane.agent_id, 0),
    )
