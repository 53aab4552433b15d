"""Doors to go through on a platform, because somebody here decided so.

A decided membership keeps in `prior_state` what it was; it becomes "" once the platform knows.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from agentapp.events import services as events
from agentapp.foundation import clock
from agentapp.presence.doorways import groups_to_leave
from agentapp.presence.models import Membership

MOST = 200  # errands of one look

State = Membership.State
_REASONS = {State.REMOVED: "Removed by somebody who looks after this room."}


@dataclass(frozen=True, slots=True)
class Errand:
    """A room to enter or to leave, or a whole server to leave.

    Attributes:
        membership_id: 0 for a server, which is left once the platform no longer shows it.
        reason: Shown there; "" for none.
    """

    membership_id: int
    account_id: uuid.UUID
    room_external_id: str
    enters: bool
    reason: str


def due(*, accounts: Collection[uuid.UUID]) -> list[Errand]:
    """Return what these logins have to do, the oldest first; two queries."""
    rows = (
        Membership.objects.filter(
            account_id__in=list(accounts),
            state__in=[State.QUARANTINED, State.LEFT, State.REMOVED],
        )
        .exclude(prior_state="")
        .order_by("id")
        .values_list("id", "account_id", "room__external_id", "state")[:MOST]
    )
    doors = [
        Errand(pk, account_id, room, state == State.QUARANTINED, _REASONS.get(State(state), ""))
        for pk, account_id, room, state in rows
    ]
    servers = [
        Errand(0, account_id, group_id, enters=False, reason="")
        for account_id, group_id in groups_to_leave(accounts=accounts)
    ]
    return doors + servers


@transaction.atomic
def done(*, membership_id: int, is_void: bool = False) -> None:
    """Note that an errand was run. Who entered counts as inside once the platform shows it.

    Args:
        is_void: The platform refused it for good: an invitation was taken back meanwhile.

    Writes: Membership; Event `membership.left` when it cannot be entered.
    """
    membership = Membership.objects.select_for_update().get(pk=membership_id)
    if not membership.prior_state:
        return
    if membership.left_at is not None:
        membership.prior_state = ""
        membership.save(update_fields=["prior_state"])
    elif is_void:
        membership.state, membership.prior_state = State.LEFT, ""
        membership.left_at = clock.now()
        membership.save(update_fields=["state", "left_at", "prior_state"])
        events.record(
            type="membership.left",
            subject_kind="membership",
            subject_id=membership.pk,
            workspace_id=membership.workspace_id,
            agent_id=membership.agent_id,
            room_id=membership.room_id,
            payload={"state": membership.state, "reason": "It could not be entered."},
        )
