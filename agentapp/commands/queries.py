"""Reads for commands: who runs a room's agents, who reads along, what waits to be seen."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from agentapp.commands.models import CommandCall
from agentapp.commands.shapes import Asked
from agentapp.foundation.clock import GreenroomNow
from agentapp.identity.models import Room, User
from agentapp.presence.models import Membership


def owners_of(asked: Asked) -> str:
    """Say who runs the agents that are in a room; "" where there are none."""
    if asked.room is None:
        return ""
    here = (
        Membership.objects.filter(room=asked.room, left_at__isnull=True)
        .exclude(state=Membership.State.INVITED)
        .select_related("agent__owner")
        .order_by("agent_id")
    )
    by_owner: dict[str, list[str]] = {}
    for each in here:
        by_owner.setdefault(str(each.agent.owner), []).append(each.agent.name)
    said = [f"{_listed(names)} {_is(names)} run by {owner}" for owner, names in by_owner.items()]
    return "; ".join(said) + ": programs, not people." if said else ""


def readers_of(asked: Asked) -> str:
    """Say who can read what is written in a room."""
    if asked.room is None:
        return ""
    if asked.room.kind == Room.Kind.DIRECT:
        return "Here you, the agent, its owner and the admin of this host can read."
    if asked.room.visibility == Room.Visibility.PUBLIC:
        who = "everybody who can open this room"
    else:
        who = "everybody who was let into this room"
    return f"Here {who}, the owners of its agents, moderators and the admin of this host can read."


def shown_to(user: User, *, room_id: int) -> QuerySet[CommandCall]:
    """Return the answers for this user's eyes that wait in a web room, the newest first."""
    return CommandCall.objects.filter(
        Q(words_until__isnull=True) | Q(words_until__gt=GreenroomNow()),
        room_id=room_id,
        handle__user=user,
        is_shown=True,
    ).order_by("-pk")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
