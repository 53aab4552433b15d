"""What the agents of a room look at when they decide; a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from agentapp.conversation.models import Message
from agentapp.conversation.queries import readable
from agentapp.engine import spec
from agentapp.engine.queries.tails import BURST, Scene, Tail, read_tails
from agentapp.engine.rules.views import Line, Mind, Place, Relevance, View
from agentapp.foundation import clock
from agentapp.foundation.prepared import prepared
from agentapp.identity import limits
from agentapp.identity.models import Agent, Identity, Participant, Room
from agentapp.intake.lanes import ClaimedLane
from agentapp.presence.models import Membership
from agentapp.relations.queries import left_alone
from agentapp.relations.rules import LeftAlone
from agentapp.safety.queries import Standing, standings
from agentapp.turns import queries as turns
from agentapp.turns.models import Turn
from agentapp.turns.rules import Spoken

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


def read_pictures(scenes: Sequence[Scene]) -> list[Picture]:
    """Read what lanes of several rooms decide on; as many queries as for one room."""
    here = [{"room_id": scene.room.pk} for scene in scenes]
    members = [{row.agent_id: row for row in rows} for rows in _members.many(here)]
    messages = _messages.many(
        [
            {"room_id": scene.room.pk, "since": _since(scene, own), "through": scene.through}
            for scene, own in zip(scenes, members, strict=True)
        ]
    )
    mentions: dict[int, list[int | None]] = defaultdict(list)
    ids = [message.pk for rows in messages for message in rows]
    for message_id, agent_id in _mentions(message_ids=ids):
        mentions[message_id].append(agent_id)
    now = clock.now()
    alone = left_alone(
        rooms=[scene.room.pk for scene in scenes],
        people=[each.author.person_id for rows in messages for each in rows if each.author],
    )
    lines = [
        tuple(_line(each, mentions[each.pk], now, alone) for each in rows) for rows in messages
    ]
    minds, epochs = _minds(scenes, members)
    tails = read_tails(scenes, minds)
    spoken = turns.spoken(
        [_talk(scene, rows, tail) for scene, rows, tail in zip(scenes, lines, tails, strict=True)]
    )
    people = _people.many(here)
    open_turns = turns.open_in.many(
        [{"room_id": scene.room.pk, "agent_ids": scene.agent_ids} for scene in scenes]
    )
    return [
        Picture(
            room=scene.room,
            place=_place(scene.room, members[n].values(), people[n], alone),
            minds=minds[n],
            joined_after={pk: row.joined_after for pk, row in members[n].items()},
            lines=lines[n],
            through=scene.through if len(lines[n]) < BURST else lines[n][-1].id,
            agent_run=tails[n].run,
            spoken=spoken[n],
            epochs=epochs,
            open_turns={turn.agent_id: turn for turn in open_turns[n]},
        )
        for n, scene in enumerate(scenes)
    ]


def _since(scene: Scene, members: Mapping[int, Membership]) -> int:
    """Return after which message something may be undecided for one of the agents."""
    joined = {pk: row.joined_after for pk, row in members.items()}
    return min(max(lane.decided_through, joined.get(lane.agent_id, 0)) for lane in scene.claimed)


def _talk(scene: Scene, lines: Sequence[Line], tail: Tail) -> turns.Talk:
    return turns.Talk(
        room_id=scene.room.pk,
        agent_ids=scene.agent_ids,
        person_ids=sorted({line.person_id for line in lines if line.person_id}),
        window_id=tail.first_id,
        human_id=tail.human_id,
        is_tryout=scene.room.is_tryout,
    )


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


def _line(
    message: Message, mentioned: Sequence[int | None], now: datetime, alone: LeftAlone
) -> Line:
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
        minutes_old=max((now - message.sent_at).total_seconds() / 60, 0.0),
        wants_none=alone.wants_none(room_id=message.room_id, person_id=author.person_id),
        has_left=alone.has_left(room_id=message.room_id, person_id=author.person_id),
    )


def _place(
    room: Room, members: Collection[Membership], people: Iterable[str], alone: LeftAlone
) -> Place:
    return Place(
        kind=room.kind,
        dial=room.dial,
        is_open=room.gone_at is None and room.agents_allowed,
        is_quiet=room.pk in alone.rooms,
        agents={row.agent_id: row.agent.name for row in members},
        people=frozenset(people),
    )


def _minds(
    scenes: Sequence[Scene], members: Sequence[Mapping[int, Membership]]
) -> tuple[list[dict[int, Mind]], dict[int, int]]:
    """Read the agents that decide, by room, and their safety epochs."""
    pairs = {(pk, scene.room.workspace_id) for scene in scenes for pk in scene.agent_ids}
    agents = {row.pk: row for row in _agents(agent_ids=[pk for pk, _ in pairs])}
    states = standings(pairs)
    minds = [
        {
            pk: _mind(agents[pk], scene.room, own.get(pk), states[pk])
            for pk in scene.agent_ids
            if pk in agents
        }
        for scene, own in zip(scenes, members, strict=True)
    ]
    return minds, {pk: state.epoch for pk, state in states.items()}


def _mind(agent: Agent, room: Room, member: Membership | None, state: Standing) -> Mind:
    return Mind(
        id=agent.pk,
        name=agent.name,
        status=agent.status,
        membership=member.state if member else "",
        capabilities=spec.capabilities(agent),
        interests=spec.words(agent, "interests"),
        hold=state.hold.kind if state.hold else "",
        hold_reason=state.hold.reason if state.hold else "",
        limits=limits.every(workspace=room.workspace.limits, agent=agent.limits, room=room.limits),
    )
