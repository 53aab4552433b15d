"""What the agents of a room look at when they decide; a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from agentapp.conversation.models import Message
from agentapp.conversation.queries import readable
from agentapp.engine import spec
from agentapp.engine.rules.views import SPEAKERS, Line, Mind, Place, Relevance, View
from agentapp.foundation import clock
from agentapp.foundation.prepared import prepared, prepared_by
from agentapp.identity import limits
from agentapp.identity.models import Agent, Identity, Participant, Room
from agentapp.intake.lanes import ClaimedLane
from agentapp.presence.models import Membership
from agentapp.safety.queries import covering, flags_of
from agentapp.safety.rules import hold
from agentapp.turns import queries as turns
from agentapp.turns.models import Turn
from agentapp.turns.rules import Spoken

BURST = 200  # messages decided on at once; the rest of a longer burst follows at once
NAMES = 200  # people of a room whose names can call them


@dataclass(frozen=True, slots=True)
class Picture:
    """One room as its agents see it.

    Attributes:
        lines: What some of the agents have not decided on, oldest first.
        through: Message id up to which `lines` is complete.
        epochs: Safety epoch by agent.
        open_turns: Begun and not ended, by agent.
    """

    room: Room
    place: Place
    minds: Mapping[int, Mind]
    joined_after: Mapping[int, int]
    lines: tuple[Line, ...]
    through: int
    agent_run: int
    spoken: Spoken
    epochs: Mapping[int, int] = field(default_factory=dict)
    open_turns: Mapping[int, Turn] = field(default_factory=dict)

    def view(self, lane: ClaimedLane, *, relevance: Mapping[int, Relevance]) -> View:
        """Return what one agent decides on."""
        after = max(lane.decided_through, self.joined_after.get(lane.agent_id, 0))
        lines = tuple(
            line for line in self.lines if line.id > after and line.author_agent != lane.agent_id
        )
        return View(
            mind=self.minds[lane.agent_id],
            place=self.place,
            lines=lines,
            agent_run=self.agent_run,
            spoken=self.spoken,
            relevance=relevance,
        )


def read_picture(*, room: Room, claimed: Sequence[ClaimedLane], through: int) -> Picture:
    """Read what these lanes of one room decide on.

    Args:
        room: With its workspace.
        claimed: Lanes of this room.
        through: Newest message that counts; later ones are the next burst.
    """
    agent_ids = [lane.agent_id for lane in claimed]
    members = {row.agent_id: row for row in _members(room_id=room.pk)}
    joined = {agent_id: row.joined_after for agent_id, row in members.items()}
    since = min(max(lane.decided_through, joined.get(lane.agent_id, 0)) for lane in claimed)
    messages = _messages(room_id=room.pk, since=since, through=through)
    mentions: dict[int, list[int | None]] = defaultdict(list)
    for message_id, agent_id in _mentions(message_ids=[message.pk for message in messages]):
        mentions[message_id].append(agent_id)
    lines = tuple(_line(message, mentions[message.pk]) for message in messages)
    minds, epochs = _minds(room, agent_ids, members)
    tail = _tail(room, through=through, size=_window(minds))
    return Picture(
        room=room,
        place=_place(room, members.values()),
        minds=minds,
        joined_after=joined,
        lines=lines,
        through=through if len(messages) < BURST else messages[-1].pk,
        agent_run=tail.run,
        spoken=turns.spoken(
            room_id=room.pk,
            agent_ids=agent_ids,
            person_ids=sorted({line.person_id for line in lines if line.person_id}),
            window_id=tail.first_id,
            human_id=tail.human_id,
            is_tryout=room.is_tryout,
        ),
        epochs=epochs,
        open_turns={
            turn.agent_id: turn for turn in turns.list_open(room_id=room.pk, agent_ids=agent_ids)
        },
    )


@dataclass(frozen=True, slots=True)
class _Tail:
    """The room's last messages: the first of them, the last human's, how many agents end it."""

    first_id: int
    human_id: int
    run: int


def _tail(room: Room, *, through: int, size: int) -> _Tail:
    rows = _last(room_id=room.pk, through=through, size=size)
    if not rows:
        return _Tail(0, 0, 0)
    first_id = rows[-1][0]
    human = next((n for n, (_, kind) in enumerate(rows) if kind in SPEAKERS), None)
    if human is None:
        return _Tail(first_id, first_id, len(rows))
    return _Tail(first_id, rows[human][0], human)


@prepared
def _members(room_id: int) -> QuerySet[Membership]:
    return Membership.objects.filter(room_id=room_id, left_at__isnull=True).select_related("agent")


@prepared
def _messages(room_id: int, since: int, through: int) -> QuerySet[Message]:
    return (
        readable(room_id=room_id)
        .filter(id__gt=since, id__lte=through)
        .select_related("author", "reply_to__author")
        .order_by("id")[:BURST]
    )


@prepared
def _mentions(message_ids: list[int]) -> QuerySet[Any, tuple[int, int | None]]:
    return Message.mentions.through.objects.filter(message_id__any=message_ids).values_list(
        "message_id", "identity__agent_id"
    )


@prepared_by("size")
def _last(room_id: int, through: int, size: int) -> QuerySet[Message, tuple[int, str]]:
    return (
        readable(room_id=room_id)
        .filter(id__lte=through)
        .order_by("-id")
        .values_list("id", "author__kind")[:size]
    )


@prepared
def _people(room_id: int) -> QuerySet[Participant, str]:
    return (
        Participant.objects.filter(room_id=room_id, left_at__isnull=True)
        .order_by("-id")
        .values_list("identity__name", flat=True)[:NAMES]
    )


@prepared
def _agents(agent_ids: list[int]) -> QuerySet[Agent]:
    return Agent.objects.select_related("version").filter(pk__any=agent_ids)


def _line(message: Message, mentioned: Sequence[int | None]) -> Line:
    author = message.author or Identity()  # never: a known message has an author
    answered = message.reply_to.author if message.reply_to else None
    return Line(
        id=message.pk,
        author_id=author.pk,
        author_name=author.name,
        author_kind=author.kind,
        text=message.text,
        author_agent=author.agent_id,
        person_id=author.person_id,
        mentioned_agents=frozenset(each for each in mentioned if each),
        mentions_others=None in mentioned,
        reply_to_agent=answered.agent_id if answered else None,
        replies_to_other=bool(answered and answered.agent_id is None and answered.pk != author.pk),
    )


def _place(room: Room, members: Collection[Membership]) -> Place:
    return Place(
        kind=room.kind,
        dial=room.dial,
        is_open=room.gone_at is None and room.agents_allowed,
        agents={row.agent_id: row.agent.name for row in members},
        people=frozenset(_people(room_id=room.pk)),
    )


def _minds(
    room: Room, agent_ids: Sequence[int], members: Mapping[int, Membership]
) -> tuple[dict[int, Mind], dict[int, int]]:
    agents = {agent.pk: agent for agent in _agents(agent_ids=list(agent_ids))}
    states = covering((pk, room.workspace_id) for pk in agent_ids)
    now = clock.now()
    minds = {}
    for agent_id, agent in agents.items():
        mine = [flags_of(row) for row in states if row.agent_id in {None, agent_id}]
        held = hold(mine, now=now)
        member = members.get(agent_id)
        minds[agent_id] = Mind(
            id=agent_id,
            name=agent.name,
            status=agent.status,
            membership=member.state if member else "",
            capabilities=spec.capabilities(agent),
            interests=spec.words(agent, "interests"),
            hold=held.kind if held else "",
            hold_reason=held.reason if held else "",
            limits={
                name: limits.effective(
                    name,
                    workspace=room.workspace.limits,
                    agent=agent.limits,
                    room=room.limits,
                )
                for name in limits.HOST_DEFAULTS
            },
        )
    return minds, {row.agent_id: row.epoch for row in states if row.agent_id is not None}


def _window(minds: Mapping[int, Mind]) -> int:
    """Return how many of the last messages any of these agents counts over."""
    sizes = (int(mind.limit("unaddressed_window").value) for mind in minds.values())
    return min(max(sizes, default=1), BURST) or 1
