"""The people and agents of the tests, made by the product's own services.

Root owns Ada (every draft waits) and Bo (may speak freely). Sam and Mallory are members; Olga
owns another workspace and must never see anything of Root's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from agentapp.conversation.models import Message
from agentapp.foundation import clock
from agentapp.identity.models import Account, Agent, Identity, Room, Seat, User, Workspace
from agentapp.identity.services.agents import create_agent
from agentapp.identity.services.people import ensure_local_identity
from agentapp.identity.services.rooms import create_room, join_room
from agentapp.identity.services.tenancy import create_workspace, give_seat
from agentapp.presence.services import add_agent

SPEC: dict[str, object] = {
    "instructions": "You are a calm companion. Answer in one or two sentences.",
    "interests": ["tea", "chess", "gardening"],
}


@dataclass
class Cast:
    """Everybody, and one public web room where Ada, Bo, Root, Sam and Mallory are."""

    root: User
    sam: User
    mallory: User
    olga: User
    workspace: Workspace
    elsewhere: Workspace
    ada: Agent
    bo: Agent
    lounge: Room

    def identity(self, user: User) -> Identity:
        return ensure_local_identity(user=user, workspace=self.workspace)


def make_user(name: str) -> User:
    """Make a login without a password: hashing one costs more than most tests."""
    return User.objects.create_user(username=name)


def hold_logins(holder: str) -> None:
    """Let a sender of the test have all logins, as a process has those that it runs."""
    Account.objects.update(lease_holder=holder, lease_until=clock.now() + timedelta(days=400))


def make_cast() -> Cast:
    root, sam, mallory, olga = (make_user(name) for name in ("root", "sam", "mallory", "olga"))
    workspace = create_workspace(user=root, name="Home")
    elsewhere = create_workspace(user=olga, name="Elsewhere")
    for member in (sam, mallory):
        give_seat(user=member, workspace=workspace, role=Seat.Role.MEMBER)
    ada = create_agent(owner=root, workspace=workspace, name="Ada", spec=SPEC)
    bo = create_agent(owner=root, workspace=workspace, name="Bo", spec=SPEC)
    Agent.objects.filter(pk=ada.pk).update(
        approval_rules=dict.fromkeys(("message", "post", "comment", "reaction"), "owner")
    )
    ada.refresh_from_db()
    lounge = create_room(workspace=workspace, name="Lounge", visibility="public", by=root)
    for member in (sam, mallory):
        join_room(room_id=lounge.pk, user=member)
    for agent in (ada, bo):
        add_agent(room_id=lounge.pk, agent_id=agent.pk, by=root)
    return Cast(root, sam, mallory, olga, workspace, elsewhere, ada, bo, lounge)


def make_message(cast: Cast, user: User, text: str, *, room: Room | None = None) -> Message:
    """Write a message straight into the record, waking nobody."""
    place = room or cast.lounge
    count = Message.objects.filter(room=place).count()
    return Message.objects.create(
        workspace=place.workspace,
        room=place,
        external_id=f"test:{count}:{user.pk}",
        author=cast.identity(user),
        text=text,
        raw=text.encode(),
        sent_at=clock.now(),
    )
