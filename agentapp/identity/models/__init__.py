"""Who and where: tenants, logins, agents and their blueprints, people, rooms."""

from __future__ import annotations

from agentapp.identity.models.agents import Account, Agent, Blueprint, BlueprintVersion
from agentapp.identity.models.people import Identity, Participant, Person, Stay
from agentapp.identity.models.rooms import Room, RoomLink
from agentapp.identity.models.runners import Runner
from agentapp.identity.models.tenancy import ApiToken, LoginLink, Seat, User, Workspace

__all__ = [
    "Account",
    "Agent",
    "ApiToken",
    "Blueprint",
    "BlueprintVersion",
    "Identity",
    "LoginLink",
    "Participant",
    "Person",
    "Room",
    "RoomLink",
    "Runner",
    "Seat",
    "Stay",
    "User",
    "Workspace",
]
