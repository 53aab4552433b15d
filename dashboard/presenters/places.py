"""What stands beside the talk in a room: who is here, and how agents behave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Min, Sum

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.units import dollars
from agentapp.identity import policy
from agentapp.identity.models import Agent, Room, RoomLink, User
from agentapp.identity.policy import Verb
from agentapp.identity.services.people import LOCAL
from agentapp.turns.models import Turn
from dashboard.presenters.faces import Face, agent_face, identity_face
from dashboard.presenters.rooms import Presence
from dashboard.presenters.stamps import stamp
from dashboard.presenters.states import StateShown, states_of

LATELY = timedelta(days=7)

_MODE_WORDS = {
    Room.ReplyMode.APPROVE: "What agents want to say here waits in Approvals "
    "until its owner sends it.",
    Room.ReplyMode.OWN: "Replies go out as they are written. Anything that goes beyond an answer "
    "still waits for its owner.",
}


class Option(NamedTuple):
    """One position of the dial or the switch."""

    code: str
    label: str


class AgentChoice(NamedTuple):
    """An agent that could be let in."""

    id: int
    face: Face


@dataclass(frozen=True, slots=True)
class SeatShown:
    """An agent that is in the room."""

    agent_id: int
    face: Face
    state: StateShown


@dataclass(frozen=True, slots=True)
class SideShown:
    """Everything beside the talk. Stamps say which part changed."""

    agents: list[SeatShown]
    agents_stamp: str
    people: list[Face]
    people_stamp: str
    addable: list[AgentChoice]
    links: int
    can_manage: bool
    can_invite: bool
    dials: list[Option]
    modes: list[Option]
    mode_words: str
    lately: str


def show_side(user: User, room: Room, here: Presence, *, now: datetime) -> SideShown:
    """Show who is in a room and, to whoever runs it, its settings; at most eight queries."""
    can_manage = policy.can(user, Verb.MANAGE, room)
    agents = [row.agent for row in here.agents]
    states = states_of(agents, now=now)
    seats = [SeatShown(one.pk, agent_face(one), states[one.pk]) for one in agents]
    # On a platform people and agents come in by invitations there.
    is_ours = room.platform == LOCAL
    addable = addable_agents(user, room) if can_manage and is_ours else []
    people = [identity_face(one) for one in here.people]
    return SideShown(
        agents=seats,
        agents_stamp=stamp(seats, addable, can_manage),
        people=people,
        people_stamp=stamp(people),
        addable=addable,
        links=_open_links(room) if can_manage else 0,
        can_manage=can_manage,
        can_invite=can_manage and is_ours,
        dials=[Option(str(code), str(label)) for code, label in Room.Dial.choices],
        modes=[Option(str(code), str(label)) for code, label in Room.ReplyMode.choices],
        mode_words=_MODE_WORDS[Room.ReplyMode(room.reply_mode)],
        lately=lately_words(room, now=now) if can_manage else "",
    )


def addable_agents(user: User, room: Room) -> list[AgentChoice]:
    """Return the user's agents of this workspace that are not in the room yet; one query."""
    own = (
        Agent.objects.filter(owner=user, workspace=room.workspace)
        .filter(status__in=[Agent.Status.TRIAL, Agent.Status.LIVE, Agent.Status.PAUSED])
        .exclude(memberships__room=room, memberships__left_at__isnull=True)
        .order_by("name")
    )
    return [AgentChoice(agent.pk, agent_face(agent)) for agent in own]


def lately_words(room: Room, *, now: datetime) -> str:
    """Say what agents wrote here per day of late, and its price; one query."""
    spoken = Turn.objects.filter(
        room=room,
        decision__in=[Turn.Decision.RESPOND, Turn.Decision.REACT],
        created_at__gt=now - LATELY,
    ).aggregate(turns=Count("pk"), micros=Sum("cost_micros"), since=Min("created_at"))
    if not spoken["turns"]:
        return ""
    days = max((now - spoken["since"]) / timedelta(days=1), 1.0)
    a_day = max(round(spoken["turns"] / days), 1)
    money = dollars(round(spoken["micros"] / days))
    return f"Lately about {a_day} message{'' if a_day == 1 else 's'} and {money} a day."


def _open_links(room: Room) -> int:
    return RoomLink.objects.filter(
        room=room, revoked_at__isnull=True, expires_at__gt=GreenroomNow(), uses_left__gt=0
    ).count()
