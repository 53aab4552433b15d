"""What an answer may be made of, read within the agent's presence in the room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from agentapp.conversation.models import Message
from agentapp.conversation.queries import readable
from agentapp.foundation import clock
from agentapp.foundation.prepared import planned, prepared, prepared_by
from agentapp.identity import limits
from agentapp.identity.models import Agent, Participant, Room
from agentapp.intake.lanes import ClaimedLane
from agentapp.llm.rules.days import zone
from agentapp.presence.models import Membership
from agentapp.relations import queries as relations
from agentapp.relations.rules import Bond
from agentapp.turns.models import Turn

PRESENT = 50  # names of people and of agents that a prompt lists

# Asked twice a second while an answer is written: one statement, whatever holds an agent back.
MAY_GO_ON = """
SELECT asked.n, agent.status IN ('trial', 'live')
    AND NOT EXISTS (
        SELECT FROM agentapp_safetystate state
        WHERE (state.scope = 'host'
                OR (state.scope = 'workspace' AND state.workspace_id = agent.workspace_id)
                OR state.agent_id = agent.id)
            AND ((state.is_stopped AND (state.suspended_until IS NULL
                    OR state.suspended_until > (SELECT greenroom_now())))
                OR state.muted_until > (SELECT greenroom_now())))
    AND asked.epoch = coalesce(
        (SELECT epoch FROM agentapp_safetystate own WHERE own.agent_id = agent.id), 0)
    AND EXISTS (
        SELECT FROM agentapp_membership member
        WHERE member.agent_id = agent.id AND member.room_id = asked.room_id
            AND member.left_at IS NULL AND member.state = 'active')
    AND EXISTS (
        SELECT FROM agentapp_message trigger
        WHERE trigger.id = asked.trigger_id AND trigger.deleted_at IS NULL)
    AND NOT EXISTS (
        SELECT FROM agentapp_quiet quiet
        WHERE quiet.room_id = asked.room_id
            AND (quiet.person_id IS NULL OR quiet.person_id = asked.person_id)
            AND (quiet.until IS NULL OR quiet.until > (SELECT greenroom_now())))
    AND NOT EXISTS (
        SELECT FROM agentapp_person person
        WHERE person.id = asked.person_id AND person.stopped_at IS NOT NULL)
    AND NOT EXISTS (
        SELECT FROM agentapp_identity handle
        JOIN agentapp_stay gone ON gone.identity_id = handle.id AND gone.left_at IS NOT NULL
        JOIN agentapp_room room ON room.id = asked.room_id
            AND room.platform = handle.platform AND room.group_id = gone.group_id
        WHERE handle.person_id = asked.person_id)
    AND EXISTS (
        SELECT FROM agentapp_lane lane WHERE lane.id = asked.lane_id AND lane.fence = asked.fence)
FROM unnest(%(agents)s::bigint[], %(rooms)s::bigint[], %(epochs)s::bigint[], %(triggers)s::bigint[],
    %(lanes)s::bigint[], %(fences)s::bigint[], %(people)s::bigint[]) WITH ORDINALITY
    AS asked(agent_id, room_id, epoch, trigger_id, lane_id, fence, person_id, n)
JOIN agentapp_agent agent ON agent.id = asked.agent_id
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything read for one answer.

    Attributes:
        talk: Messages before the answered ones, oldest first; none that was deleted.
        answered: The messages that wait for the answer, oldest first.
        bonds: What is between the agent and the writers, by person.
        limits: Numbers that hold for this agent in this room.
        now: When it was read.
        excerpts: What stands in the texts that came with the answered messages, by file.
        pictures: The pictures that came with them, by file; none where no model would see them.
    """

    turn_id: int
    agent: Agent
    room: Room
    talk: list[Message]
    answered: list[Message]
    bonds: Mapping[int, Bond]
    people: list[str]
    agents: list[str]
    limits: Mapping[str, float]
    now: datetime
    excerpts: Mapping[int, str] = field(default_factory=dict)
    pictures: Mapping[int, bytes] = field(default_factory=dict)


def read_for_answers(asked: Sequence[Turn]) -> list[Reading | None]:
    """Read what answers are made of, memories excepted; as many queries for many as for one.

    Nothing is read from before the agent came, and nothing said after what it decided on.

    Returns:
        For each turn what was read; None when the agent has left or nothing is left to answer.
    """
    agents = _agent.first_of_each([{"agent_id": turn.agent_id} for turn in asked])
    members = _member.first_of_each(
        [{"agent_id": turn.agent_id, "room_id": turn.room_id or 0} for turn in asked]
    )
    places = [
        _Place(turn, agent, member)
        for turn, agent, member in zip(asked, agents, members, strict=True)
        if agent is not None and member is not None
    ]
    answered = _answered.many([place.messages for place in places])
    owed = [
        (place, messages)
        for place, messages in zip(places, answered, strict=True)
        if any(message.pk == place.turn.trigger_id for message in messages)
    ]
    read = {reading.turn_id: reading for reading in _readings(owed)}
    return [read.get(turn.pk) for turn in asked]


class _Place:
    """Where one turn thinks, and how far back it may look."""

    def __init__(self, turn: Turn, agent: Agent, member: Membership) -> None:
        self.turn, self.agent, self.room = turn, agent, member.room
        holding = limits.every(
            workspace=self.room.workspace.limits, agent=agent.limits, room=self.room.limits
        )
        self.limits = {
            name: holding[name].value
            for name in (
                "context_messages",
                "context_tokens",
                "memories",
                "answer_seconds",
                "tool_steps",
            )
        }
        self.messages: dict[str, object] = {
            "room_id": self.room.pk,
            "after": member.joined_after,
            "through": int(turn.context["through"]),
            "owed": [turn.trigger_id, *turn.context.get("covers", [])],
        }


def _readings(owed: Sequence[tuple[_Place, list[Message]]]) -> Iterator[Reading]:
    places = [place for place, _ in owed]
    talks = _talks(places)
    writers = [
        {each.author for each in [*talk, *answered]}
        for talk, (_, answered) in zip(talks, owed, strict=True)
    ]
    bonds = relations.bonds_of(
        [
            (place.agent.pk, {each.person_id for each in people if each and each.person_id})
            for place, people in zip(places, writers, strict=True)
        ]
    )
    here = [{"room_id": place.room.pk} for place in places]
    people, agents, now = _people.many(here), _agents.many(here), clock.now()
    for n, (place, answered) in enumerate(owed):
        yield Reading(
            turn_id=place.turn.pk,
            agent=place.agent,
            room=place.room,
            talk=talks[n],
            answered=answered,
            bonds=bonds[n],
            people=people[n],
            agents=agents[n],
            limits=place.limits,
            now=now,
        )


def _talks(places: Sequence[_Place]) -> list[list[Message]]:
    """Read the talk before what is answered, oldest first; one query per length that is set."""
    found: dict[int, list[Message]] = {}
    sizes = [int(place.limits["context_messages"]) for place in places]
    for size in set(sizes):
        asked = [place for place, own in zip(places, sizes, strict=True) if own == size]
        rows = _talk.many([{**place.messages, "limit": size} for place in asked])
        found |= {place.turn.pk: talk[::-1] for place, talk in zip(asked, rows, strict=True)}
    return [found[place.turn.pk] for place in places]


def may_go_on(*, turn: Turn, lane: ClaimedLane) -> bool:
    """Say whether an agent may go on with a thought: nothing holds it, and it is still its own.

    One statement.
    """
    return may_each_go_on([(turn, lane)])[0]


def may_each_go_on(thoughts: Sequence[tuple[Turn, ClaimedLane]]) -> list[bool]:
    """Say of several thoughts whether their agents may go on with them; one statement."""
    with planned() as cursor:
        cursor.execute(
            MAY_GO_ON,
            {
                "agents": [turn.agent_id for turn, _ in thoughts],
                "rooms": [turn.room_id for turn, _ in thoughts],
                "epochs": [turn.epoch for turn, _ in thoughts],
                "triggers": [turn.trigger_id for turn, _ in thoughts],
                "lanes": [lane.id for _, lane in thoughts],
                "fences": [lane.fence for _, lane in thoughts],
                "people": [turn.person_id for turn, _ in thoughts],
            },
        )
        free = dict(cursor.fetchall())
    return [bool(free.get(place)) for place in range(1, len(thoughts) + 1)]


def local_time(reading: Reading) -> str:
    """Return the time as a clock on the agent's wall shows it; UTC for an unknown time zone."""
    return reading.now.astimezone(zone(reading.agent.timezone)).strftime("%A %d %B %Y, %H:%M")


@prepared
def _agent(agent_id: int) -> QuerySet[Agent]:
    return Agent.objects.select_related("version", "owner").filter(pk=agent_id)


@prepared
def _member(agent_id: int, room_id: int) -> QuerySet[Membership]:
    return Membership.objects.select_related("room__workspace").filter(
        agent_id=agent_id, room_id=room_id, left_at__isnull=True
    )


def _visible(room_id: int, after: int, through: int) -> QuerySet[Message]:
    return (
        readable(room_id=room_id)
        .filter(id__gt=after, id__lte=through)
        .select_related("author", "reply_to__author")
    )


@prepared
def _answered(room_id: int, after: int, through: int, owed: list[int]) -> QuerySet[Message]:
    return _visible(room_id, after, through).filter(id__any=owed).order_by("id")


@prepared_by("limit")
def _talk(room_id: int, after: int, through: int, owed: list[int], limit: int) -> QuerySet[Message]:
    return _visible(room_id, after, through).exclude(id__any=owed).order_by("-id")[:limit]


@prepared
def _people(room_id: int) -> QuerySet[Participant, str]:
    return (
        Participant.objects.filter(room_id=room_id, left_at__isnull=True)
        .order_by("-id")
        .values_list("identity__name", flat=True)[:PRESENT]
    )


@prepared
def _agents(room_id: int) -> QuerySet[Membership, str]:
    return (
        Membership.objects.filter(room_id=room_id, left_at__isnull=True)
        .order_by("id")
        .values_list("agent__name", flat=True)[:PRESENT]
    )
