"""Agents entering and leaving rooms."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models import F, Max

from agentapp.conversation.models import Message
from agentapp.events.services import record
from agentapp.foundation import clock
from agentapp.foundation.errors import Conflict, NotFound, Refused
from agentapp.identity import policy
from agentapp.identity.models import Account, Agent, Room, User
from agentapp.identity.policy import Verb
from agentapp.identity.services.people import LOCAL
from agentapp.presence.models import Membership


class NoAccount(Refused):
    """This agent has no login on that platform yet."""


@transaction.atomic
def add_agent(*, room_id: int, agent_id: int, by: User | None) -> Membership:
    """Let an agent into a room; it reads what is said from now on. Repeating it is harmless.

    Raises:
        NotFound: Room and agent lie in different workspaces, or the room is gone.
        NoAccount: The agent has no login on the room's platform.
    """
    # The room's lock keeps new messages out until the interval's start is written.
    room = Room.objects.select_for_update(no_key=True).filter(pk=room_id).first()
    agent = Agent.objects.filter(pk=agent_id).first()
    if room is None or agent is None or agent.workspace_id != room.workspace_id:
        raise NotFound
    if room.gone_at or not room.agents_allowed:
        raise Refused("No agents are allowed in this room.")
    present = Membership.objects.filter(room=room, agent=agent, left_at__isnull=True).first()
    if present:
        return present
    account = Account.objects.filter(
        agent=agent, platform=room.platform, state=Account.State.ON
    ).first()
    if account is None:
        raise NoAccount
    newest = Message.objects.filter(room=room).aggregate(newest=Max("id"))["newest"] or 0
    membership = Membership.objects.create(
        workspace_id=room.workspace_id,
        agent=agent,
        room=room,
        account=account,
        joined_at=clock.now(),
        joined_after=newest,
    )
    _record("membership.joined", membership, by)
    return membership


@transaction.atomic
def remove_agent(*, room_id: int, agent_id: int, by: User | None, removed: bool = False) -> None:
    """End an agent's presence in a room. What waits to be sent there is held back at the claim.

    On a platform its connector leaves the room as well; coming back takes a new invitation.

    Raises:
        Conflict: The agent is not in the room.
    """
    state = Membership.State.REMOVED if removed else Membership.State.LEFT
    membership = (
        Membership.objects.select_for_update(of=("self",))
        .select_related("room")
        .filter(room_id=room_id, agent_id=agent_id, left_at__isnull=True)
        .first()
    )
    if membership is None:
        raise Conflict("This agent is not in that room.")
    membership.prior_state = "" if membership.room.platform == LOCAL else membership.state
    membership.state = state
    membership.left_at = clock.now()
    membership.save(update_fields=["state", "prior_state", "left_at"])
    _record("membership.left", membership, by)


@transaction.atomic
def set_voice(*, membership_id: int, may_talk: bool, by: User) -> Membership:
    """Let an agent talk in a room, or have it only listen there. Repeating it is harmless.

    Writes: Membership, Event `membership.changed`.

    Raises:
        NotFound, Refused: The user may not manage the agent, or whoever moderates the room on its
            platform muted it there.
        Conflict: It is not in the room.
    """
    membership = (
        Membership.objects.select_for_update(of=("self",))
        .select_related("agent")
        .filter(pk=membership_id)
        .first()
    )
    if membership is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, membership.agent)
    if membership.is_held:
        raise Refused("It was muted by somebody who looks after that room. Only they can end it.")
    was = Membership.State.MUTED if may_talk else Membership.State.ACTIVE
    becomes = Membership.State.ACTIVE if may_talk else Membership.State.MUTED
    if membership.state == becomes:
        return membership
    if membership.state != was:
        raise Conflict("It is not in that room at the moment.")
    membership.state = becomes
    membership.save(update_fields=["state"])
    _record("membership.changed", membership, by)
    return membership


def leave_all(*, account_id: uuid.UUID, by: User | None) -> int:
    """End every presence of a login, inside the caller's transaction. Returns how many.

    The login itself is about to leave its platform, so nobody is asked to leave single rooms.
    """
    rows = list(
        Membership.objects.select_for_update()
        .filter(account_id=account_id, left_at__isnull=True)
        .order_by("id")
    )
    now = clock.now()
    for row in rows:
        row.state, row.prior_state, row.left_at = Membership.State.LEFT, "", now
        _record("membership.left", row, by)
    Membership.objects.bulk_update(rows, ["state", "prior_state", "left_at"])
    return len(rows)


def make_inactive(*, agent_id: int, by: User | None) -> int:
    """Silence an agent's memberships for a suspension, inside the caller's transaction.

    Writes `agent.removed.from.room` per room. Returns how many rooms.
    """
    rows = list(
        Membership.objects.select_for_update()
        .filter(agent_id=agent_id, left_at__isnull=True)
        .exclude(state=Membership.State.INACTIVE)
        .exclude(state=Membership.State.INVITED)
        .order_by("id")
    )
    Membership.objects.filter(pk__in=[row.pk for row in rows]).update(
        prior_state=F("state"), state=Membership.State.INACTIVE
    )
    for row in rows:
        _record("agent.removed.from.room", row, by)
    return len(rows)


def restore(*, agent_id: int, by: User | None) -> int:
    """Give an agent's memberships back what they were before a suspension.

    What was said meanwhile stays unread: the interval starts again at the newest message.
    """
    rows = list(
        Membership.objects.select_for_update()
        .filter(agent_id=agent_id, state=Membership.State.INACTIVE)
        .order_by("id")
    )
    newest = dict(
        Message.objects.filter(room_id__in=[row.room_id for row in rows])
        .values_list("room_id")
        .annotate(newest=Max("id"))
    )
    for row in rows:
        row.state = row.prior_state or Membership.State.ACTIVE
        row.prior_state = ""
        row.joined_after = newest.get(row.room_id, row.joined_after)
        _record("membership.changed", row, by)
    Membership.objects.bulk_update(rows, ["state", "prior_state", "joined_after"])
    return len(rows)


def _record(type_: str, membership: Membership, by: User | None) -> None:
    record(
        type=type_,
        subject_kind="membership",
        subject_id=membership.pk,
        workspace_id=membership.workspace_id,
        agent_id=membership.agent_id,
        room_id=membership.room_id,
        actor_id=by.pk if by else None,
        payload={"state": membership.state},
    )
