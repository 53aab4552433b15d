"""Everybody who may or may not: several owners, a moderator, a guest, the admin, a stranger.

Olga owns Mira; Otto owns Bo in the same workspace; Mona moderates there; Gus came by a room link
and chats with Mira; Ada is the host's admin; Fay owns a workspace of her own.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentapp.foundation import clock
from agentapp.identity import services as identity
from agentapp.identity.models import Account, Agent, Room, Seat, User, Workspace
from agentapp.presence.models import Membership

SPEC: dict[str, object] = {"instructions": "You are calm, brief and kind."}


@dataclass(frozen=True)
class Town:
    """Who is there, and where."""

    workspace: Workspace
    elsewhere: Workspace
    admin: User
    olga: User
    otto: User
    mona: User
    gus: User
    fay: User
    mira: Agent
    bo: Agent
    lobby: Room  # private; Mira, Gus and Olga are in it
    den: Room  # private; Bo and Otto are in it
    square: Room  # public; Mira is in it


def make_user(name: str, **fields: object) -> User:
    """Make somebody without a password: hashing one costs more than most tests."""
    user = User(username=name.lower(), display_name=name, **fields)
    user.set_unusable_password()
    user.save()
    return user


def let_in(agent: Agent, room: Room) -> Membership:
    """Have an agent be in a room from now on, whoever allowed it."""
    return Membership.objects.create(
        workspace_id=room.workspace_id,
        agent=agent,
        room=room,
        account=Account.objects.get(agent=agent, platform="local"),
        joined_at=clock.now(),
    )


def make_town() -> Town:
    """Put everybody in place."""
    olga, otto, mona, fay = (make_user(name) for name in ("Olga", "Otto", "Mona", "Fay"))
    admin = make_user("Ada", is_superuser=True, is_staff=True)
    workspace = identity.create_workspace(user=olga, name="Here")
    Seat.objects.filter(user=olga, role=Seat.Role.MODERATOR).delete()
    identity.give_seat(user=otto, workspace=workspace, role=Seat.Role.OWNER)
    identity.give_seat(user=mona, workspace=workspace, role=Seat.Role.MODERATOR)
    elsewhere = identity.create_workspace(user=fay, name="Elsewhere")
    mira = identity.create_agent(owner=olga, workspace=workspace, name="Mira", spec=SPEC)
    bo = identity.create_agent(owner=otto, workspace=workspace, name="Bo", spec=SPEC)
    lobby = _room(workspace, "Lobby", olga)
    den = _room(workspace, "Den", otto)
    square = _room(workspace, "Square", olga, visibility=Room.Visibility.PUBLIC)
    for agent, room in ((mira, lobby), (bo, den), (mira, square)):
        let_in(agent, room)
    token = identity.make_room_link(room_id=lobby.pk, by=olga)
    gus, _ = identity.join_by_link(token=token, name="Gus")
    return Town(
        workspace=workspace,
        elsewhere=elsewhere,
        admin=admin,
        olga=olga,
        otto=otto,
        mona=mona,
        gus=gus,
        fay=fay,
        mira=mira,
        bo=bo,
        lobby=lobby,
        den=den,
        square=square,
    )


def _room(
    workspace: Workspace, name: str, by: User, visibility: str = Room.Visibility.PRIVATE
) -> Room:
    return identity.create_room(workspace=workspace, name=name, visibility=visibility, by=by)
