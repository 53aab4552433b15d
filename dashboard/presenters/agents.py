"""Agents as tiles, as the head of their page, and what each noticed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet
from django.urls import reverse

from agentapp.conversation.models import Message
from agentapp.drafts.queries import inbox
from agentapp.identity.models import Agent, BlueprintVersion, User
from agentapp.identity.policy import visible
from agentapp.presence.models import Membership
from agentapp.turns.models import Turn
from dashboard.presenters.faces import NOBODY, Face, agent_face, identity_face
from dashboard.presenters.files import words_of
from dashboard.presenters.messages import shortened
from dashboard.presenters.stamps import stamp
from dashboard.presenters.states import StateShown, states_of

MAX_AGENTS = 200
MAX_NOTICED = 20
MAX_VERSIONS = 20
ABOUT_CHARACTERS = 160

_SENTENCE = re.compile(r"(?<=[.!?:])\s")
_OPENING = re.compile(r"^(you are|this is who you are:)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AgentShown:
    """One agent as a tile or as the head of its page."""

    id: int
    name: str
    url: str
    face: Face
    state: StateShown
    about: str
    owner: str
    rooms: int
    waiting: int
    is_demo: bool
    is_paused: bool
    is_live: bool
    stamp: str


@dataclass(frozen=True, slots=True)
class NoticedShown:
    """One thing an agent read, and what it made of it."""

    turn_id: int
    author: Face
    decision: str
    spoke: bool
    text: str
    at: datetime
    stamp: str


@dataclass(frozen=True, slots=True)
class VersionShown:
    """One version of an agent's personality."""

    n: int
    author: str
    created_at: datetime
    is_pinned: bool


def agents_on_list(user: User) -> QuerySet[Agent]:
    """Return the agents on a user's lists: visible, not retired, in workspaces of their own."""
    return (
        visible(Agent, user)
        .filter(workspace__seats__user=user)
        .exclude(status__in=[Agent.Status.ARCHIVED, Agent.Status.DELETED])
        .select_related("workspace", "owner", "version")
        .distinct()
        .order_by("workspace__is_demo", "pk")
    )


def show_agents(agents: Sequence[Agent], *, user: User, now: datetime) -> list[AgentShown]:
    """Show agents; four queries for any number."""
    states = states_of(agents, now=now)
    waiting = Counter(
        dict(
            inbox(user)
            .select_related(None)
            .order_by()
            .values_list("agent_id")
            .annotate(Count("pk"))
        )
    )
    rooms = Counter(
        dict(
            Membership.objects.filter(agent__in=agents, left_at__isnull=True, room__is_tryout=False)
            .exclude(state=Membership.State.INVITED)
            .values_list("agent_id")
            .annotate(Count("pk"))
        )
    )
    return [
        _show(
            one,
            state=states[one.pk],
            rooms=rooms[one.pk],
            waiting=waiting[one.pk],
            is_own=one.owner_id == user.pk or user.is_superuser,
        )
        for one in agents
    ]


def _show(agent: Agent, *, state: StateShown, rooms: int, waiting: int, is_own: bool) -> AgentShown:
    # What it is made of is between an agent and its owner; a moderator sees that it is there.
    about = about_of(str(agent.version.spec.get("instructions", ""))) if is_own else ""
    return AgentShown(
        id=agent.pk,
        name=agent.name,
        url=reverse("agent", args=[agent.pk]),
        face=agent_face(agent),
        state=state,
        about=about,
        owner=str(agent.owner),
        rooms=rooms,
        waiting=waiting,
        is_demo=agent.workspace.is_demo,
        is_paused=agent.status == Agent.Status.PAUSED,
        is_live=agent.status in {Agent.Status.TRIAL, Agent.Status.LIVE},
        stamp=stamp(agent.name, state, about, rooms, waiting, agent.status),
    )


def about_of(instructions: str) -> str:
    """Return the heart of a personality: its first sentence, told about and not told to."""
    first = _SENTENCE.split(" ".join(instructions.split()), maxsplit=1)[0]
    told = _OPENING.sub("", first).rstrip(":")
    return shortened(told[:1].upper() + told[1:], ABOUT_CHARACTERS)


def show_noticed(user: User, agent: Agent) -> list[NoticedShown]:
    """Return what an agent read last and decided about, to its owner; two queries."""
    turns = list(
        visible(Turn, user)
        .filter(agent=agent, trigger_kind=Turn.Trigger.MESSAGE, room__is_tryout=False)
        .order_by("-pk")[:MAX_NOTICED]
    )
    messages = Message.objects.select_related("author").in_bulk(
        [turn.trigger_id for turn in turns if turn.trigger_id is not None]
    )
    return [_noticed(turn, messages.get(turn.trigger_id or 0)) for turn in turns]


def _noticed(turn: Turn, message: Message | None) -> NoticedShown:
    gone = message is None or message.deleted_at is not None
    text = "a message that is gone"
    if message is not None and not gone:
        text = shortened(words_of(message.text, message.file_count))
    words = decision_words(turn)
    return NoticedShown(
        turn_id=turn.pk,
        author=identity_face(message.author) if message else NOBODY,
        decision=words,
        spoke=turn.decision in {Turn.Decision.RESPOND, Turn.Decision.REACT},
        text=text,
        at=turn.created_at,
        stamp=stamp(words, text),
    )


def decision_words(turn: Turn) -> str:
    """Say in a word or two what came of a thought."""
    if turn.status in {Turn.Status.QUEUED, Turn.Status.RUNNING}:
        return "is thinking"
    if turn.status in {Turn.Status.FAILED, Turn.Status.DEAD}:
        return "could not answer"
    return {
        Turn.Decision.RESPOND: "answered",
        Turn.Decision.REACT: "reacted",
        Turn.Decision.NOTICE: "noticed it",
        Turn.Decision.IGNORE: "let it pass",
    }[Turn.Decision(turn.decision)]


def show_versions(agent: Agent) -> list[VersionShown]:
    """Return an agent's versions, the newest first; one query."""
    versions = (
        BlueprintVersion.objects.filter(blueprint=agent.version.blueprint_id)
        .select_related("author")
        .order_by("-n")[:MAX_VERSIONS]
    )
    return [
        VersionShown(
            n=version.n,
            author=str(version.author) if version.author else "",
            created_at=version.created_at,
            is_pinned=version.pk == agent.version_id,
        )
        for version in versions
    ]
