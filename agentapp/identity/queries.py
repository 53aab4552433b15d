"""Reads about who and where."""

from __future__ import annotations

from django.db.models import QuerySet

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.secrets import digest
from agentapp.identity import policy
from agentapp.identity.models import (
    Account,
    Agent,
    Identity,
    LoginLink,
    Participant,
    Room,
    RoomLink,
    Seat,
    User,
    Workspace,
)
from agentapp.identity.services.people import LOCAL


def workspaces_of(user: User) -> QuerySet[Workspace]:
    """Return where the user holds a seat, the real ones before the demo. One query."""
    return Workspace.objects.filter(seats__user=user).distinct().order_by("is_demo", "pk")


def real_workspace_of(user: User) -> Workspace | None:
    """Return the user's first own workspace, or None before the first login. One query."""
    owned = Workspace.objects.filter(seats__user=user, seats__role=Seat.Role.OWNER, is_demo=False)
    return owned.order_by("pk").first()


def roles_of(user: User, workspace: Workspace) -> set[str]:
    """Return the user's roles in a workspace; empty when there is no seat. One query."""
    return set(Seat.objects.filter(user=user, workspace=workspace).values_list("role", flat=True))


def agents_of(user: User) -> QuerySet[Agent]:
    """Return the agents that the user owns, archived ones left out, oldest first."""
    gone = [Agent.Status.ARCHIVED, Agent.Status.DELETED]
    return Agent.objects.filter(owner=user).exclude(status__in=gone).order_by("pk")


def logins_of(user: User) -> QuerySet[Account]:
    """Return the logins of a user's agents on platforms other than the web rooms, by agent."""
    return (
        policy.visible(Account, user)
        .filter(agent__owner=user)
        .exclude(platform=LOCAL)
        .exclude(state=Account.State.ENDED)
        .select_related("agent")
        .order_by("agent__name", "pk")
    )


def local_identity(user: User, workspace: Workspace) -> Identity | None:
    """Return the handle under which the user chats in web rooms of a workspace."""
    return Identity.objects.filter(user=user, workspace=workspace, platform="local").first()


def people_in(room: Room) -> QuerySet[Participant]:
    """Return who is in the room now, with their handles, in the order they came."""
    present = Participant.objects.filter(room=room, left_at__isnull=True)
    return present.select_related("identity", "identity__user").order_by("pk")


def login_link_is_open(*, token: str) -> bool:
    """Say whether a login link can still be used. Changes nothing: previews may ask."""
    return LoginLink.objects.filter(
        token_hash=digest(token), used_at__isnull=True, expires_at__gt=GreenroomNow()
    ).exists()


def room_of_link(*, token: str) -> Room | None:
    """Return the room that an open room link leads to, or None. Changes nothing."""
    link = (
        RoomLink.objects.select_related("room")
        .filter(
            token_hash=digest(token),
            revoked_at__isnull=True,
            expires_at__gt=GreenroomNow(),
            uses_left__gt=0,
            room__gone_at__isnull=True,
        )
        .first()
    )
    return link.room if link else None
