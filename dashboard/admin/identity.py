"""The admin's tables about who and where."""

from __future__ import annotations

from agentapp.identity.models import (
    Account,
    Agent,
    ApiToken,
    Blueprint,
    BlueprintVersion,
    Identity,
    LoginLink,
    Participant,
    Person,
    Room,
    RoomLink,
    Runner,
    Seat,
    Stay,
    User,
    Workspace,
)
from dashboard.admin.reading import register

register(
    Account,
    Agent,
    ApiToken,
    Blueprint,
    BlueprintVersion,
    Identity,
    LoginLink,
    Participant,
    Person,
    Room,
    RoomLink,
    Runner,
    Seat,
    Stay,
    User,
    Workspace,
)
