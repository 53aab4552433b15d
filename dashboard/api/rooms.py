"""Rooms and what is said in them."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Status

from agentapp.conversation.models import Message
from agentapp.conversation.queries import readable
from agentapp.identity import policy
from agentapp.identity.models import Room, User, Workspace
from agentapp.identity.policy import Verb
from agentapp.identity.services import rooms as services
from agentapp.intake.services import post_web_message
from dashboard.api.callers import Scope, caller
from dashboard.api.idempotency import HEADER
from dashboard.api.paging import Limit, page
from dashboard.api.shapes import (
    MessageIn,
    MessageOut,
    MessagePage,
    RoomIn,
    RoomOut,
    RoomPage,
    RoomPatch,
)

router = Router(tags=["rooms"], by_alias=True)


def room_of(user: User, room_id: int, verb: Verb = Verb.VIEW) -> Room:
    """Return a room this user may see and do `verb` with."""
    room = policy.get(Room, user, pk=room_id)
    policy.require(user, verb, room)
    return room


@router.get("/rooms", response=RoomPage)
def list_rooms(request: HttpRequest, cursor: str = "", limit: Limit = 50) -> dict[str, object]:
    """List the rooms you may see, the newest first."""
    rows = policy.visible(Room, caller(request, Scope.READ)).filter(gone_at__isnull=True)
    return page(rows, cursor=cursor, limit=limit)


@router.post("/rooms", response={201: RoomOut})
def create_room(request: HttpRequest, body: RoomIn) -> Status[Room]:
    """Open a web room."""
    user = caller(request, Scope.WRITE)
    workspace = policy.get(Workspace, user, pk=body.workspace_id)
    room = services.create_room(
        workspace=workspace, name=body.name, visibility=body.visibility, by=user
    )
    return Status(201, room)


@router.get("/rooms/{roomId}", response=RoomOut)
def get_room(request: HttpRequest, roomId: int) -> Room:  # noqa: N803  (the wire's name)
    """Show a room."""
    return room_of(caller(request, Scope.READ), roomId)


@router.patch("/rooms/{roomId}", response=RoomOut)
def change_room(request: HttpRequest, roomId: int, body: RoomPatch) -> Room:  # noqa: N803
    """Set a room's dial, reply mode or name."""
    user = caller(request, Scope.WRITE)
    room_of(user, roomId, Verb.MANAGE)
    with transaction.atomic():  # all of it or nothing
        if body.dial is not None:
            services.set_dial(room_id=roomId, dial=body.dial, by=user)
        if body.reply_mode is not None:
            services.set_reply_mode(room_id=roomId, mode=body.reply_mode, by=user)
        if body.name is not None:
            services.rename_room(room_id=roomId, name=body.name, by=user)
    return room_of(user, roomId)


@router.get("/rooms/{roomId}/messages", response=MessagePage)
def list_messages(
    request: HttpRequest,
    roomId: int,  # noqa: N803
    cursor: str = "",
    limit: Limit = 50,
) -> dict[str, object]:
    """List what was said in a room, the newest first."""
    room = room_of(caller(request, Scope.READ), roomId)
    return page(readable(room_id=room.pk).select_related("author"), cursor=cursor, limit=limit)


@router.post("/rooms/{roomId}/messages", response={201: MessageOut})
def post_message(
    request: HttpRequest,
    roomId: int,  # noqa: N803
    body: MessageIn,
) -> Status[Message]:
    """Say something in a web room, as yourself."""
    user = caller(request, Scope.WRITE)
    room_of(user, roomId, Verb.CHAT)
    message = post_web_message(
        user=user,
        room_id=roomId,
        text=body.text,
        reply_to_id=body.reply_to_id,
        client_key=request.headers.get(HEADER, ""),
    )
    return Status(201, message)
