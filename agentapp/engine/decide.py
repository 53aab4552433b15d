"""Decides for the agents of one room on everything that was said since they last did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.db import connection, transaction
from django.db.models import QuerySet

from agentapp.conversation import services as conversation
from agentapp.drafts.errors import PendingLimitReached
from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.engine import saying
from agentapp.engine.queries.picture import Picture, read_picture
from agentapp.engine.relevance import relevance
from agentapp.engine.rules import deciding
from agentapp.engine.rules.views import Action, Decision, Relevance
from agentapp.foundation import faults
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Room, Workspace
from agentapp.intake import lanes
from agentapp.intake.lanes import ClaimedLane
from agentapp.intake.models import SpeakerClaim
from agentapp.llm.queries import budget_state
from agentapp.turns import services as turns
from agentapp.turns.models import Turn
from agentapp.turns.rules import Spoken
from agentapp.turns.services import Decided

CLAIM = """
INSERT INTO agentapp_speakerclaim (message_id, agent_id)
SELECT unnest(%(messages)s::bigint[]), %(agent)s ON CONFLICT (message_id) DO NOTHING
"""
BURST_SHOWN = 50  # ids of a burst that its turn keeps

Compared = Mapping[int, Mapping[int, Relevance]]  # by agent, by message


@dataclass(frozen=True, slots=True)
class Begun:
    """A turn that wants a model's words, and the lane it came from."""

    turn: Turn
    lane: ClaimedLane


@dataclass
class _Outcome:
    """What a room's decisions add up to, written at the end in a few statements."""

    spoken: Spoken
    silent: list[Decided] = field(default_factory=list)
    noticed: list[tuple[int, int, str]] = field(default_factory=list)
    ended: dict[int, list[int]] = field(default_factory=dict)  # lane ids, by decided through
    begun: list[Begun] = field(default_factory=list)

    def end(self, lane: ClaimedLane, through: int) -> None:
        """Note that a lane's claim ends here."""
        self.ended.setdefault(through, []).append(lane.id)


def decide_room(*, claimed: Sequence[ClaimedLane]) -> list[Begun]:
    """Decide for lanes of one room, in one transaction that holds the room's lock.

    Reads: the room's picture. Calls: the local embedding model, before the transaction, where
    agents join in unasked. Writes: Turn for every decision, Lane for every one that ends here,
    SpeakerClaim, FeedItem, Draft (a reaction, or a notice that the budget is spent), Events.

    Returns:
        The turns that want a model, new and taken up again; their lanes stay claimed.
    """
    compared, through = _compare(claimed)
    with transaction.atomic():
        room = _locked_room.get(room_id=claimed[0].room_id)
        wanted = lanes.lock(claimed=claimed)
        held = [lane for lane in claimed if lane.id in wanted]
        if not held:
            return []
        picture = read_picture(room=room, claimed=held, through=through or max(wanted.values()))
        outcome = _Outcome(spoken=picture.spoken)
        for lane in sorted(held, key=lambda lane: lane.agent_id):
            _decide_lane(lane, replace(picture, spoken=outcome.spoken), compared, outcome)
        turns.record_silent(decided=outcome.silent)
        conversation.notice(items=outcome.noticed)
        for ended_through, lane_ids in outcome.ended.items():
            lanes.finish_all(lane_ids=lane_ids, through=ended_through)
        faults.passing("decision.written")
    return outcome.begun


def _compare(claimed: Sequence[ClaimedLane]) -> tuple[Compared, int]:
    """Compare messages to nobody with interests, where the dial lets agents join in.

    Returns:
        What was found, and up to which message it holds; 0 where nothing had to be compared.
    """
    room = _room.get(room_id=claimed[0].room_id)
    if room.dial != Room.Dial.JOINS:
        return {}, 0
    through = max(lane.wanted_through for lane in claimed)
    picture = read_picture(room=room, claimed=claimed, through=through)
    asking: dict[int, list[int]] = defaultdict(list)
    texts: dict[int, str] = {}
    for lane in claimed:
        decision = deciding.decide(picture.view(lane, relevance={}))
        if decision is not None and decision.wants_relevance:
            asking[decision.trigger.id].append(lane.agent_id)
            texts[decision.trigger.id] = decision.trigger.text
    found: dict[int, dict[int, Relevance]] = defaultdict(dict)
    for message_id, agent_ids in asking.items():
        near = relevance(
            text=texts[message_id],
            interests=[picture.minds[agent_id].interests for agent_id in agent_ids],
        )
        for agent_id, each in zip(agent_ids, near, strict=True):
            found[agent_id][message_id] = each
    return found, picture.through


@prepared
def _room(room_id: int) -> QuerySet[Room]:
    return Room.objects.select_related("workspace").filter(pk=room_id)


@prepared
def _locked_room(room_id: int) -> QuerySet[Room]:
    return (
        Room.objects.select_for_update(no_key=True, of=("self",))
        .select_related("workspace")
        .filter(pk=room_id)
    )


def _decide_lane(
    lane: ClaimedLane, picture: Picture, compared: Compared, outcome: _Outcome
) -> None:
    begun = picture.open_turns.get(lane.agent_id)
    if begun is not None and (begun.trigger_id or 0) > lane.decided_through:
        _take_up(begun, lane, outcome)
        return
    view = picture.view(lane, relevance=compared.get(lane.agent_id, {}))
    decision = deciding.decide(view)
    if decision is not None and decision.action is Action.RESPOND:
        decision = _affordable(decision, lane, picture.room.workspace)
    if decision is not None and decision.claims:
        decision = _claimed(decision, lane)
    if decision is None:
        outcome.end(lane, picture.through)
        return
    last = decision.through or picture.through
    burst = [line.id for line in view.lines if line.id <= last]
    decided = _decided(decision, lane, picture, burst=burst)
    if decision.action in {Action.RESPOND, Action.REACT}:
        outcome.spoken = _counted(outcome.spoken, decision, lane.agent_id)
    _carry_out(decision, decided, lane, picture, outcome)


def _carry_out(
    decision: Decision, decided: Decided, lane: ClaimedLane, picture: Picture, outcome: _Outcome
) -> None:
    if decision.action is Action.RESPOND:
        outcome.begun.append(Begun(turn=turns.start(decided=decided), lane=lane))
        return
    outcome.end(lane, decision.through or picture.through)
    if decision.action is Action.REACT:
        _react(turns.start(decided=decided), decision, picture)
    elif decision.code == "budget_exhausted" and decision.addressed:
        turn = turns.start(decided=decided)
        saying.apologise(turn=turn, room=picture.room, code=decision.code)
        turns.finish([turns.Finished(turn, decision.code)])
    else:
        outcome.silent.append(decided)
        if decision.action is Action.NOTICE:
            outcome.noticed.append((lane.agent_id, decision.trigger.id, decision.reasons[0].words))


def _take_up(turn: Turn, lane: ClaimedLane, outcome: _Outcome) -> None:
    """Go on with a thought whose worker died; what stops it is checked while it goes on."""
    outcome.begun.append(Begun(turn=turns.resume(turn=turn, fence=lane.fence), lane=lane))


def _affordable(decision: Decision, lane: ClaimedLane, workspace: Workspace) -> Decision:
    state = budget_state(workspace=workspace, agent_id=lane.agent_id)
    if state.level == "exhausted":
        return deciding.without_money(decision)
    return deciding.while_money_is_low(decision) if state.level == "low" else decision


def _claimed(decision: Decision, lane: ClaimedLane) -> Decision:
    """Take messages to nobody, so that no other agent answers them; the first one wins."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"messages": list(decision.claims), "agent": lane.agent_id})
    is_mine = SpeakerClaim.objects.filter(
        message_id=decision.trigger.id, agent_id=lane.agent_id
    ).exists()
    return decision if is_mine else deciding.taken_by_another(decision)


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


def _decided(
    decision: Decision, lane: ClaimedLane, picture: Picture, *, burst: list[int]
) -> Decided:
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
            "through": decision.through or picture.through,
            "covers": list(decision.covers),
            "burst": burst[-BURST_SHOWN:],
        },
        fence=lane.fence,
        epoch=picture.epochs.get(lane.agent_id, 0),
    )


def _counted(spoken: Spoken, decision: Decision, agent_id: int) -> Spoken:
    """Count a decision for the agents that decide after it in the same transaction."""
    is_answer = decision.action is Action.RESPOND
    return replace(
        spoken,
        room_10min=spoken.room_10min + is_answer,
        without_human=spoken.without_human + 1,
        answers_without_human=spoken.answers_without_human + is_answer,
    )
