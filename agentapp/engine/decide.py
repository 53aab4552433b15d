"""Decides for the agents of rooms on everything that was said since they last did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db import transaction
from django.db.models import QuerySet

from agentapp.engine.outcomes import Begun, Made, carry_out
from agentapp.engine.queries.picture import Picture, read_pictures
from agentapp.engine.queries.tails import Scene
from agentapp.engine.relevance import relevance
from agentapp.engine.rules import deciding
from agentapp.engine.rules.views import Action, Decision, Relevance
from agentapp.foundation import faults
from agentapp.foundation.gathering import Gathered
from agentapp.foundation.prepared import planned, prepared
from agentapp.identity.models import Room
from agentapp.intake import lanes
from agentapp.intake.lanes import ClaimedLane
from agentapp.intake.models import SpeakerClaim
from agentapp.llm.queries import budget_levels
from agentapp.llm.rules.money import Level
from agentapp.turns.rules import Spoken

CLAIM = """
INSERT INTO agentapp_speakerclaim (message_id, agent_id)
SELECT unnest(%(messages)s::bigint[]), %(agent)s ON CONFLICT (message_id) DO NOTHING
"""
ROOMS_AT_ONCE = 16  # their locks are held for all of them

Claimed = Sequence[ClaimedLane]


def decide_room(*, claimed: Claimed) -> list[Begun]:
    """Decide for lanes of one room, together with other rooms in which something was said.

    Reads: the rooms' pictures. Calls: the local embedding model, before the transaction, where
    agents join in unasked. Writes, in one transaction that holds the rooms' locks: Turn for every
    decision, Lane for every one that ends here, SpeakerClaim, FeedItem, Draft (a reaction, or a
    notice that the budget is spent), Events.

    Returns:
        The turns that want a model, new and taken up again; their lanes stay claimed.
    """
    return _decide_together(claimed)


def _decide(rooms: Sequence[Claimed]) -> list[list[Begun]]:
    by_room: dict[int, list[ClaimedLane]] = defaultdict(list)
    for claimed in rooms:
        for lane in claimed:
            by_room[lane.room_id].append(lane)
    compared = _compare(by_room)
    with transaction.atomic():
        pictures = _pictures(by_room, compared)
        levels = budget_levels(
            pairs={(lane.agent_id, lane.workspace_id) for _, held in pictures for lane in held}
        )
        made = [
            each
            for picture, held in pictures
            for each in _decide_one(picture, held, compared, levels)
        ]
        begun = carry_out(made)
        faults.passing("decision.written")
    by_lane = {each.lane.id: each for each in begun}
    return [[by_lane[lane.id] for lane in claimed if lane.id in by_lane] for claimed in rooms]


_decide_together = Gathered(_decide, most=ROOMS_AT_ONCE)


class _Comparison:
    """What messages to nobody have to do with agents' interests, where the dial lets them in."""

    def __init__(self) -> None:
        self.found: dict[int, dict[int, Relevance]] = defaultdict(dict)
        self.through: dict[int, int] = {}  # by room: up to which message that holds

    def add(self, picture: Picture, claimed: Claimed) -> None:
        """Compare what nobody was asked in one room."""
        self.through[picture.room.pk] = picture.through
        asking: dict[int, list[int]] = defaultdict(list)
        texts: dict[int, str] = {}
        for lane in claimed:
            decision = deciding.decide(picture.view(lane, relevance={}))
            if decision is not None and decision.wants_relevance:
                asking[decision.trigger.id].append(lane.agent_id)
                texts[decision.trigger.id] = decision.trigger.text
        for message_id, agent_ids in asking.items():
            near = relevance(
                text=texts[message_id],
                interests=[picture.minds[agent_id].interests for agent_id in agent_ids],
            )
            for agent_id, each in zip(agent_ids, near, strict=True):
                self.found[agent_id][message_id] = each


def _compare(by_room: Mapping[int, Claimed]) -> _Comparison:
    compared = _Comparison()
    scenes = [
        Scene(
            room,
            by_room[room.pk],
            through=max(lane.wanted_through for lane in by_room[room.pk]),
        )
        for room in _rooms_joined_in(room_ids=list(by_room))
    ]
    for scene, picture in zip(scenes, read_pictures(scenes), strict=True):
        compared.add(picture, scene.claimed)
    return compared


def _pictures(
    by_room: Mapping[int, Claimed], compared: _Comparison
) -> list[tuple[Picture, Claimed]]:
    """Lock rooms and lanes and read what is decided on there; lanes that were lost are left out."""
    rooms = _locked_room.first_of_each([{"room_id": room_id} for room_id in sorted(by_room)])
    wanted = lanes.lock(claimed=[lane for claimed in by_room.values() for lane in claimed])
    scenes = []
    for room in rooms:
        held = [lane for lane in by_room[room.pk] if lane.id in wanted] if room else []
        if room and held:
            newest = max(wanted[lane.id] for lane in held)
            scenes.append(Scene(room, held, through=compared.through.get(room.pk) or newest))
    return [
        (picture, scene.claimed)
        for scene, picture in zip(scenes, read_pictures(scenes), strict=True)
    ]


@prepared
def _rooms_joined_in(room_ids: list[int]) -> QuerySet[Room]:
    return Room.objects.select_related("workspace").filter(pk__any=room_ids, dial=Room.Dial.JOINS)


@prepared
def _locked_room(room_id: int) -> QuerySet[Room]:
    return (
        Room.objects.select_for_update(no_key=True, of=("self",))
        .select_related("workspace")
        .filter(pk=room_id)
    )


def _decide_one(
    picture: Picture, claimed: Claimed, compared: _Comparison, levels: Mapping[int, Level]
) -> list[Made]:
    """Decide for a room's agents one after the other: each counts what those before it will say."""
    spoken, made = picture.spoken, []
    for lane in sorted(claimed, key=lambda lane: lane.agent_id):
        one = _decide_lane(
            lane,
            replace(picture, spoken=spoken),
            compared.found.get(lane.agent_id, {}),
            levels[lane.agent_id],
        )
        made.append(one)
        if one.decision and one.decision.action in {Action.RESPOND, Action.REACT}:
            spoken = _counted(spoken, one.decision)
    return made


def _decide_lane(
    lane: ClaimedLane, picture: Picture, relevant: Mapping[int, Relevance], level: Level
) -> Made:
    begun = picture.open_turns.get(lane.agent_id)
    if begun is not None and (begun.trigger_id or 0) > lane.decided_through:
        return Made(lane, picture, taken_up=begun)
    view = picture.view(lane, relevance=relevant)
    decision = deciding.decide(view)
    if decision is None:
        return Made(lane, picture)
    if decision.action is Action.RESPOND:
        decision = _affordable(decision, level)
    if decision.claims:
        decision = _claimed(decision, lane)
    last = decision.through or picture.through
    burst = tuple(line.id for line in view.lines if line.id <= last)
    return Made(lane, picture, decision=decision, burst=burst)


def _affordable(decision: Decision, level: Level) -> Decision:
    if level is Level.EXHAUSTED:
        return deciding.without_money(decision)
    return deciding.while_money_is_low(decision) if level is Level.LOW else decision


def _claimed(decision: Decision, lane: ClaimedLane) -> Decision:
    """Take messages to nobody, so that no other agent answers them; the first one wins."""
    with planned() as cursor:
        cursor.execute(CLAIM, {"messages": list(decision.claims), "agent": lane.agent_id})
    is_mine = SpeakerClaim.objects.filter(
        message_id=decision.trigger.id, agent_id=lane.agent_id
    ).exists()
    return decision if is_mine else deciding.taken_by_another(decision)


def _counted(spoken: Spoken, decision: Decision) -> Spoken:
    """Count a decision for the agents that decide after it in the same transaction."""
    is_answer = decision.action is Action.RESPOND
    return replace(
        spoken,
        room_10min=spoken.room_10min + is_answer,
        without_human=spoken.without_human + 1,
        answers_without_human=spoken.answers_without_human + is_answer,
    )
