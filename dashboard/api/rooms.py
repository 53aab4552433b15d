"""Rooms: who is there, and how much agents talk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Query

from agentapp.foundation.errors import Invalid
from agentapp.identity import policy
from agentapp.identity import services as identity
from agentapp.identity.models import Agent, Room, User, Workspace
from agentapp.identity.policy import Verb
from agentapp.identity.queries import real_workspace_of
from agentapp.presence import services as presence
from agentapp.presence.models import Membership
from dashboard.api.callers import needs, user_of
from dashboard.api.paging import Page, PageIn, page_of
from dashboard.api.shapes import Given, Resource, RoomId, Shape

router = Resource(tags=["rooms"])

MAX_AGENTS = 20  # let in with one request


class AgentHere(Shape):
    """An agent that is in a room, and how: active, muted, inactive (suspended) …."""

    id: int
    name: str
    state: str


class RoomShown(Shape):
    """A room."""

    id: int
    workspace_id: int
    name: str
    platform: str
    kind: str
    visibility: str
    dial: str
    reply_mode: str
    is_tryout: bool
    agents: list[AgentHere]
    created_at: datetime


class RoomGiven(Given):
    """A new web room, with agents of yours to let in."""

    name: str
    visibility: Literal["public", "private"] = "private"
    agent_ids: list[int] = Field(default_factory=list, max_length=MAX_AGENTS)
    workspace_id: int | None = None


class RoomChange(Given):
    """A change of name, of how much agents talk, or of who decides about replies."""

    name: str | None = None
    dial: Literal["silent", "asked", "joins"] | None = None
    reply_mode: Literal["approve", "own"] | None = None


@router.get("/rooms", response=Page[RoomShown], auth=needs("read"))
def list_rooms(request: HttpRequest, page: Query[PageIn]) -> Page[RoomShown]:
    """List the rooms you may read, the oldest first."""
    rooms = policy.visible(Room, user_of(request)).filter(gone_at__isnull=True)
    found = page_of(rooms, page, name="rooms", newest_first=False)
    return Page(items=_show(found.rows), next=found.next)


@router.get("/rooms/{roomId}", response=RoomShown, auth=needs("read"))
def get_room(request: HttpRequest, room_id: RoomId) -> RoomShown:
    """Read one room."""
    return _show([policy.get(Room, user_of(request), pk=room_id)])[0]


@router.post("/rooms", response={201: RoomShown}, auth=needs("write"))
def create_room(request: HttpRequest, body: RoomGiven) -> tuple[int, RoomShown]:
    """Open a web room; you are in it."""
    user = user_of(request)
    with transaction.atomic():
        room = identity.create_room(
            workspace=_workspace(user, body.workspace_id),
            name=body.name,
            visibility=body.visibility,
            by=user,
        )
        for agent_id in dict.fromkeys(body.agent_ids):
            policy.require(user, Verb.MANAGE, policy.get(Agent, user, pk=agent_id))
            presence.add_agent(room_id=room.pk, agent_id=agent_id, by=user)
    return 201, _show([room])[0]


@router.patch("/rooms/{roomId}", response=RoomShown, auth=needs("write"))
def change_room(request: HttpRequest, room_id: RoomId, body: RoomChange) -> RoomShown:
    """Change a room that you run."""
    user = user_of(request)
    with transaction.atomic():
        policy.require(user, Verb.MANAGE, policy.get(Room, user, pk=room_id))
        if body.name is not None:
            identity.rename_room(room_id=room_id, name=body.name, by=user)
        if body.dial is not None:
            identity.set_dial(room_id=room_id, dial=body.dial, by=user)
        if body.reply_mode is not None:
            identity.set_reply_mode(room_id=room_id, mode=body.reply_mode, by=user)
    return _show([policy.get(Room, user, pk=room_id)])[0]


def _workspace(user: User, workspace_id: int | None) -> Workspace:
    if workspace_id is not None:
        return policy.get(Workspace, user, pk=workspace_id)
    own = real_workspace_of(user)
    if own is None:
        raise Invalid("Name the workspace: you own none.")
    return own


def _show(rooms: Sequence[Room]) -> list[RoomShown]:
    """Show rooms; one query for all the agents in them."""
    here: dict[int, list[AgentHere]] = defaultdict(list)
    memberships = Membership.objects.filter(
        room__in=[room.pk for room in rooms], left_at__isnull=True
    )
    for membership in memberships.select_related("agent").order_by("pk"):
        agent = membership.agent
        here[membership.room_id].append(
            AgentHere(id=agent.pk, name=agent.name, state=membership.state)
        )
    return [
        RoomShown(
            id=room.pk,
            workspace_id=room.workspace_id,
            name=room.name,
            platform=room.platform,
            kind=room.kind,
            visibility=room.visibility,
            dial=room.dial,
            reply_mode=room.reply_mode,
            is_tryout=room.is_tryout,
            agents=here[room.pk],
            created_at=room.created_at,
        )
        for room in rooms
    ]
