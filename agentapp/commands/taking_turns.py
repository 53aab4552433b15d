"""Which agent answers, and where: all agents of a room are one group, and one of them speaks."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet

from agentapp.commands.shapes import Call
from agentapp.conversation.models import Message
from agentapp.conversation.rules import stored_id
from agentapp.identity.models import Account, Identity, Participant, Room
from agentapp.presence.models import Membership


def by_turn(call: Call, room: Room) -> tuple[int, ...]:
    """Return the agents that may talk in a room: asked, named, answered, spoke last, the oldest."""
    here = dict(
        Membership.objects.filter(room=room, state=Membership.State.ACTIVE, left_at__isnull=True)
        .order_by("agent_id")
        .values_list("agent_id", "agent__name")
    )
    logins = Account.objects.filter(workspace_id=room.workspace_id, platform=room.platform)
    named = logins.filter(external_id__in=[stored_id(each) for each in call.mentions])
    called = [pk for pk, name in here.items() if name.casefold() == call.called.casefold()]
    said = Message.objects.filter(room=room, author__agent__in=here)
    answered = said.filter(external_id=stored_id(call.target)) if call.target else said.none()
    first = [
        call.agent_id,
        *named.values_list("agent_id", flat=True),
        *called,
        *answered.values_list("author__agent", flat=True),
        *said.order_by("-pk").values_list("author__agent", flat=True)[:1],
    ]
    return tuple(pk for pk in dict.fromkeys([*first, *here]) if pk in here)


def direct_room(
    room: Room, handle: Identity, agents: Sequence[int]
) -> tuple[Room, tuple[int, ...]] | None:
    """Return where this person and an agent are alone, with that agent; the first in turn wins."""
    # Into an encrypted room only a login with keys can write.
    rows = Membership.objects.filter(
        Q(room__encrypted=False) | Q(account__keyring__is_on=True),
        agent__in=agents,
        state=Membership.State.ACTIVE,
        left_at__isnull=True,
        room__in=alone(handle).filter(platform=room.platform, workspace_id=room.workspace_id),
    ).select_related("room")
    found = sorted(rows, key=lambda row: (agents.index(row.agent_id), -row.pk))
    return (found[0].room, (found[0].agent_id,)) if found else None


def alone(handle: Identity) -> QuerySet[Room]:
    """Return direct rooms in which this person is, and nobody else but agents ever was."""
    others = Participant.objects.filter(room=OuterRef("pk")).exclude(
        Q(identity=handle)
        | Q(identity__person=handle.person_id)
        | Q(identity__kind=Identity.Kind.AGENT)
    )
    return Room.objects.filter(
        ~Exists(others),
        kind=Room.Kind.DIRECT,
        gone_at__isnull=True,
        participants__identity=handle,
        participants__left_at__isnull=True,
    )
