"""Reading who is present."""

from __future__ import annotations

from django.db.models import QuerySet

from agentapp.presence.models import Membership


def present(*, room_id: int) -> QuerySet[Membership]:
    """Return the memberships of agents now in a room, suspended ones included."""
    return (
        Membership.objects.filter(room_id=room_id, left_at__isnull=True)
        .exclude(state=Membership.State.INVITED)
        .select_related("agent", "account")
        .order_by("id")
    )


def rooms_of(*, agent_id: int) -> QuerySet[Membership]:
    """Return the memberships of the rooms an agent is in now."""
    return (
        Membership.objects.filter(agent_id=agent_id, left_at__isnull=True)
        .exclude(state=Membership.State.INVITED)
        .select_related("room")
        .order_by("id")
    )
