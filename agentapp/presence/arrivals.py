"""Agents whose coming and going a platform shows, rather than somebody here decides."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db.models import Max, Q

from agentapp.conversation.models import Message
from agentapp.events import services as events
from agentapp.foundation import clock
from agentapp.foundation.text import one_line
from agentapp.identity.models import Agent, Room
from agentapp.notifications.services import notify
from agentapp.presence import services
from agentapp.presence.models import Membership


def invited(
    *, room: Room, agent_id: int, account_id: uuid.UUID, by: str, at: datetime | None = None
) -> bool:
    """Note an invitation once; it waits for the agent's owner. Returns whether it is new.

    Args:
        at: When it was made; one from before the agent last left is answered by that.

    Writes: Membership (invited), Notification for the owner, Event `membership.invited`. The
    caller holds the room's lock.
    """
    rows = Membership.objects.filter(room=room, agent_id=agent_id)
    answered = (
        Q(left_at__isnull=True) if at is None else Q(left_at__isnull=True) | Q(left_at__gt=at)
    )
    if rows.filter(answered).exists():
        return False
    membership = Membership.objects.create(
        workspace_id=room.workspace_id,
        agent_id=agent_id,
        room=room,
        account_id=account_id,
        state=Membership.State.INVITED,
        joined_at=clock.now(),
        joined_after=_newest(room),
    )
    _record("membership.invited", membership, {"by": one_line(by)})
    agent = Agent.objects.only("name", "owner_id").get(pk=agent_id)
    notify(
        user_id=agent.owner_id,
        workspace_id=room.workspace_id,
        kind="invitation",
        subject_kind="room",
        subject_id=room.pk,
        text=f"{one_line(by)} invites {agent.name} into {room}. "
        "Accept or decline it under Approvals.",
    )
    return True


def arrived(*, room: Room, agent_id: int, since: datetime | None) -> bool:
    """Note that an agent is in a room; say whether that is news.

    An agent that was taken out here stays out, although the platform still shows it, until it
    enters the room anew. A thread is entered with what holds in its room, or not at all.

    Args:
        since: When the platform says it entered.
        room: Locked by the caller.
        agent_id: Who.

    Raises:
        Refused: No agents are allowed in this room.
    """
    rows = Membership.objects.filter(room=room, agent_id=agent_id).order_by("-id")
    last = rows.first()
    if room.kind == Room.Kind.THREAD:
        return _entered_thread(room, agent_id, last)
    if last is None or (last.left_at is not None and since is not None and since > last.left_at):
        services.add_agent(room_id=room.pk, agent_id=agent_id, by=None)
        return True
    was_accepted = last.left_at is None and last.prior_state == Membership.State.INVITED
    if last.state != Membership.State.INVITED and not was_accepted:
        return False
    last.state, last.prior_state = Membership.State.ACTIVE, ""
    last.joined_at, last.joined_after = clock.now(), _newest(room)
    last.save(update_fields=["state", "prior_state", "joined_at", "joined_after"])
    _record("membership.joined", last, {})
    return True


def _entered_thread(room: Room, agent_id: int, last: Membership | None) -> bool:
    there = Membership.objects.filter(
        room=room.parent_id, agent_id=agent_id, left_at__isnull=True
    ).first()
    is_inside = last is not None and last.left_at is None
    if there is None or is_inside or there.state == Membership.State.INVITED:
        return False
    row = services.add_agent(room_id=room.pk, agent_id=agent_id, by=None)
    if (row.state, row.is_held) != (there.state, there.is_held):
        row.state, row.is_held, row.prior_state = there.state, there.is_held, there.prior_state
        row.save(update_fields=["state", "is_held", "prior_state"])
    return True


def departed(*, room: Room, agent_id: int, is_removed: bool, reason: str) -> bool:
    """Note that an agent is no longer in a room; say whether that is news.

    Writes: Membership (left or removed), Event `membership.left` with the reason that was given.
    """
    membership = (
        Membership.objects.select_for_update()
        .filter(room=room, agent_id=agent_id, left_at__isnull=True)
        .first()
    )
    if membership is None:
        return False
    membership.state = Membership.State.REMOVED if is_removed else Membership.State.LEFT
    membership.left_at, membership.prior_state = clock.now(), ""
    membership.save(update_fields=["state", "left_at", "prior_state"])
    _record("membership.left", membership, {"reason": one_line(reason), "removed": is_removed})
    return True


def _newest(room: Room) -> int:
    return Message.objects.filter(room=room).aggregate(newest=Max("id"))["newest"] or 0


def _record(type_: str, membership: Membership, payload: dict[str, object]) -> None:
    events.record(
        type=type_,
        subject_kind="membership",
        subject_id=membership.pk,
        workspace_id=membership.workspace_id,
        agent_id=membership.agent_id,
        room_id=membership.room_id,
        payload={"state": membership.state, **payload},
    )
