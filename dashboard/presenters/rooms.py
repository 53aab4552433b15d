"""Rooms as rows of a list and as a place with people in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.urls import reverse

from agentapp.conversation.models import Message
from agentapp.drafts.queries import inbox
from agentapp.identity.models import Identity, Participant, Room, User
from agentapp.identity.policy import visible
from agentapp.presence.models import Membership
from dashboard.presenters.faces import Face, agent_face, identity_face
from dashboard.presenters.files import words_of
from dashboard.presenters.messages import shortened
from dashboard.presenters.stamps import stamp

MAX_ROOMS = 200  # rows of one list
NAMED_READERS = 3


@dataclass(frozen=True, slots=True)
class LineShown:
    """One thing said, in one line."""

    author: Face
    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class RoomShown:
    """A room with what its row and its head say."""

    id: int
    name: str
    url: str
    mark: str
    readers: str
    dial: str
    reply_mode: str
    behaviour: str
    is_demo: bool
    is_direct: bool
    waiting: int = 0
    last: LineShown | None = None
    agents: list[Face] = field(default_factory=list)
    stamp: str = ""


@dataclass(slots=True)
class Presence:
    """Who is in one room."""

    people: list[Identity] = field(default_factory=list)
    agents: list[Membership] = field(default_factory=list)


def rooms_of(user: User) -> QuerySet[Room]:
    """Return the rooms on a user's lists: visible, open, in workspaces of their own."""
    return (
        visible(Room, user)
        .filter(workspace__seats__user=user, gone_at__isnull=True, is_tryout=False)
        .select_related("workspace")
        .distinct()
    )


def show_rooms(user: User, *, limit: int = MAX_ROOMS) -> list[RoomShown]:
    """Return the rooms that a user may see, the latest talk first; six queries for any number."""
    newest = Message.objects.filter(
        room=OuterRef("pk"), is_known=True, deleted_at__isnull=True
    ).order_by("-id")
    rooms = list(
        rooms_of(user)
        .annotate(newest=Subquery(newest.values("pk")[:1]))
        .order_by(F("newest").desc(nulls_last=True), "-pk")[:limit]
    )
    last = Message.objects.select_related("author").in_bulk(
        [pk for room in rooms if (pk := getattr(room, "newest", None))]
    )
    here = presence_in(rooms)
    waiting = waiting_by_room(user)
    return [
        show_room(
            room,
            here[room.pk],
            waiting=waiting.get(room.pk, 0),
            last=last.get(getattr(room, "newest", None) or 0),
        )
        for room in rooms
    ]


def show_room(
    room: Room, here: Presence, *, waiting: int = 0, last: Message | None = None
) -> RoomShown:
    """Show one room. Asks the database nothing when its workspace is loaded."""
    line = None
    if last is not None:
        words = words_of(last.text, last.file_count)
        line = LineShown(identity_face(last.author), shortened(words), last.sent_at)
    readers = readers_sentence(room, here)
    faces = [agent_face(row.agent) for row in here.agents]
    name = name_of(room, here)
    return RoomShown(
        id=room.pk,
        name=name,
        url=reverse("room", args=[room.pk]),
        mark=mark_of(room),
        readers=readers,
        dial=room.dial,
        reply_mode=room.reply_mode,
        behaviour=f"{room.get_dial_display()} · {room.get_reply_mode_display()}",
        is_demo=room.workspace.is_demo,
        is_direct=room.kind == Room.Kind.DIRECT,
        waiting=waiting,
        last=line,
        agents=faces,
        stamp=stamp(name, line, readers, faces, waiting, room.dial, room.reply_mode),
    )


def presence_in(rooms: Iterable[Room]) -> dict[int, Presence]:
    """Return who is in each room now; two queries for any number."""
    here: dict[int, Presence] = defaultdict(Presence)
    ids = [room.pk for room in rooms]
    people = Participant.objects.filter(room_id__in=ids, left_at__isnull=True)
    for participant in people.select_related("identity").order_by("pk"):
        here[participant.room_id].people.append(participant.identity)
    memberships = Membership.objects.filter(room_id__in=ids, left_at__isnull=True).exclude(
        state=Membership.State.INVITED
    )
    for membership in memberships.select_related("agent__owner").order_by("pk"):
        here[membership.room_id].agents.append(membership)
    return here


def waiting_by_room(user: User) -> dict[int, int]:
    """Count what waits for a user per room; one query."""
    rows = inbox(user).select_related(None).order_by().values_list("room_id")
    return dict(rows.annotate(Count("pk")))


def mark_of(room: Room) -> str:
    """Return the icon of a room's kind."""
    if room.kind == Room.Kind.DIRECT:
        return "lock"
    return "hash" if room.visibility == Room.Visibility.PUBLIC else "door"


def name_of(room: Room, here: Presence) -> str:
    """Return a room's name; an unnamed direct room is called by who is in it."""
    if room.name:
        return room.name
    names = [*(one.name for one in here.people), *(row.agent.name for row in here.agents)]
    return " and ".join(names) or "A room without a name"


def readers_sentence(room: Room, here: Presence) -> str:
    """Say who can read in a room."""
    if room.kind == Room.Kind.DIRECT:
        names = [*(one.name for one in here.people), *(row.agent.name for row in here.agents)]
        return f"Only {joined(names)}" if names else "Nobody is here"
    if room.visibility == Room.Visibility.PUBLIC:
        return f"Everybody in {room.workspace.name} can read this"
    return f"{_who(here)} can read this" if here.people or here.agents else "Nobody is here"


def ai_notice(here: Presence) -> str:
    """Tell a newcomer which members are AIs, that they remember, and who reads along."""
    names = [row.agent.name for row in here.agents]
    keepers = list(dict.fromkeys(str(row.agent.owner) for row in here.agents))
    is_one = len(names) == 1
    return (
        f"{joined(names)} {'is an AI' if is_one else 'are AIs'}. "
        f"{'It remembers' if is_one else 'They remember'} what is said to "
        f"{'it' if is_one else 'them'}. {joined(keepers)} can read this room."
    )


def _who(here: Presence) -> str:
    names = [one.name for one in here.people]
    parts = names[:NAMED_READERS]
    if len(names) > NAMED_READERS:
        parts.append(f"{len(names) - NAMED_READERS} more")
    if here.agents:
        count = len(here.agents)
        parts.append(here.agents[0].agent.name if count == 1 else f"{count} agents")
    return joined(parts)


def joined(names: Sequence[str]) -> str:
    """Write names as people say them: "Ana, Jo and Mira"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
