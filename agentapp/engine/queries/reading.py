"""What an answer may be made of, read within the agent's presence in the room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from agentapp.conversation.models import Message
from agentapp.conversation.queries import readable
from agentapp.foundation import clock
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
SELECT agent.status IN ('trial', 'live')
    AND NOT EXISTS (
        SELECT FROM agentapp_safetystate state
        WHERE (state.scope = 'host'
                OR (state.scope = 'workspace' AND state.workspace_id = agent.workspace_id)
                OR state.agent_id = agent.id)
            AND ((state.is_stopped AND (state.suspended_until IS NULL
                    OR state.suspended_until > (SELECT greenroom_now())))
                OR state.muted_until > (SELECT greenroom_now())))
    AND %(epoch)s = coalesce(
        (SELECT epoch FROM agentapp_safetystate own WHERE own.agent_id = agent.id), 0)
    AND EXISTS (
        SELECT FROM agentapp_membership member
        WHERE member.agent_id = agent.id AND member.room_id = %(room)s
            AND member.left_at IS NULL AND member.state = 'active')
    AND EXISTS (
        SELECT FROM agentapp_message trigger
        WHERE trigger.id = %(trigger)s AND trigger.deleted_at IS NULL)
    AND EXISTS (
        SELECT FROM agentapp_lane lane WHERE lane.id = %(lane)s AND lane.fence = %(fence)s)
FROM agentapp_agent agent WHERE agent.id = %(agent)s
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
    """

    agent: Agent
    room: Room
    talk: list[Message]
    answered: list[Message]
    bonds: Mapping[int, Bond]
    people: list[str]
    agents: list[str]
    limits: Mapping[str, float]
    now: datetime


def read_for_answer(*, turn: Turn) -> Reading | None:
    """Read what an answer is made of, memories excepted; a fixed number of queries.

    Nothing is read from before the agent came, and nothing said after what it decided on.

    Returns:
        None when the agent has left or nothing is left to answer.
    """
    agent = Agent.objects.select_related("version", "owner").get(pk=turn.agent_id)
    member = (
        Membership.objects.select_related("room__workspace")
        .filter(agent=agent, room=turn.room, left_at__isnull=True)
        .first()
    )
    if member is None:
        return None
    room = member.room
    numbers = {
        name: limits.effective(
            name, workspace=room.workspace.limits, agent=agent.limits, room=room.limits
        ).value
        for name in ("context_messages", "context_tokens", "memories", "answer_seconds")
    }
    owed = {turn.trigger_id, *turn.context.get("covers", [])}
    visible = readable(room_id=room.pk).filter(
        id__gt=member.joined_after, id__lte=int(turn.context["through"])
    )
    answered = _loaded(visible.filter(id__in=owed), limit=len(owed))
    if not any(message.pk == turn.trigger_id for message in answered):
        return None
    talk = _loaded(visible.exclude(id__in=owed), limit=int(numbers["context_messages"]))
    writers = {message.author for message in [*talk, *answered]}
    return Reading(
        agent=agent,
        room=room,
        talk=talk,
        answered=answered,
        bonds=relations.bonds(
            agent_id=agent.pk,
            person_ids={each.person_id for each in writers if each and each.person_id},
        ),
        people=_people(room),
        agents=_agents(room),
        limits=numbers,
        now=clock.now(),
    )


def may_go_on(*, turn: Turn, lane: ClaimedLane) -> bool:
    """Say whether an agent may go on with a thought: nothing holds it, and it is still its own.

    One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            MAY_GO_ON,
            {
                "agent": turn.agent_id,
                "room": turn.room_id,
                "epoch": turn.epoch,
                "trigger": turn.trigger_id,
                "lane": lane.id,
                "fence": lane.fence,
            },
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def local_time(reading: Reading) -> str:
    """Return the time as a clock on the agent's wall shows it; UTC for an unknown time zone."""
    return reading.now.astimezone(zone(reading.agent.timezone)).strftime("%A %d %B %Y, %H:%M")


def _loaded(messages: QuerySet[Message], *, limit: int) -> list[Message]:
    """Return the newest of these messages with their writers, oldest first."""
    rows = messages.select_related("author", "reply_to__author").order_by("-id")[:limit]
    return list(reversed(rows))


def _people(room: Room) -> list[str]:
    return list(
        Participant.objects.filter(room=room, left_at__isnull=True)
        .order_by("-id")
        .values_list("identity__name", flat=True)[:PRESENT]
    )


def _agents(room: Room) -> list[str]:
    return list(
        Membership.objects.filter(room=room, left_at__isnull=True)
        .order_by("id")
        .values_list("agent__name", flat=True)[:PRESENT]
    )
