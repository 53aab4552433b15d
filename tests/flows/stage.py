"""Who plays in a flow: an owner with a real workspace, an agent, a room and a model."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext

from agentapp.identity.models import Agent, Room, Seat, User, Workspace
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.people import ensure_local_identity
from agentapp.identity.services.rooms import create_room, join_room, set_reply_mode
from agentapp.identity.services.tenancy import create_workspace, give_seat
from agentapp.identity.templates import COMPANION
from agentapp.intake.services import post_web_message
from agentapp.presence.services import add_agent
from tests.fakes.connecting import connect
from tests.fakes.model_server import ModelServer


@dataclass
class Stage:
    """One owner's world; every test has its own."""

    owner: User
    member: User
    workspace: Workspace
    agent: Agent
    room: Room

    def say(self, text: str) -> None:
        """Have the member write in the room, as from another browser."""
        post_web_message(user=self.member, room_id=self.room.pk, text=text)


def make_user(name: str) -> User:
    user = User(username=f"{name.lower()}-{secrets.token_hex(4)}", display_name=name)
    user.set_unusable_password()
    user.save()
    return user


def make_stage(server: ModelServer, *, reply_mode: str = "own") -> Stage:
    owner, member = make_user("Olga"), make_user("Sam")
    workspace = create_workspace(user=owner, name="Home")
    give_seat(user=member, workspace=workspace, role=Seat.Role.MEMBER)
    connect(workspace, server)
    agent = create_agent(
        owner=owner,
        workspace=workspace,
        name="Mira",
        spec=COMPANION.spec,
        template=COMPANION.code,
    )
    room = create_room(workspace=workspace, name="Lounge", visibility="public", by=owner)
    set_reply_mode(room_id=room.pk, mode=reply_mode, by=owner)
    ensure_local_identity(user=member, workspace=workspace)
    join_room(room_id=room.pk, user=member)
    add_agent(room_id=room.pk, agent_id=agent.pk, by=owner)
    return Stage(owner, member, workspace, agent, room)


def log_in(context: BrowserContext, user: User, *, url: str) -> None:
    """Give a browser the session of a user who has just logged in."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
