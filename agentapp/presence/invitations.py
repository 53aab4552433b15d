"""What owners decide on invitations that a platform showed; `errands` then carries it out.

A decided one keeps `invited` as its prior state until it is carried out: let in, it is
quarantined and becomes active once the platform shows the agent inside; declined, it is left.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from agentapp.events import services as events
from agentapp.foundation import clock
from agentapp.foundation.errors import Conflict, NotFound
from agentapp.identity import policy
from agentapp.identity.models import User
from agentapp.identity.policy import Verb
from agentapp.presence.models import Membership

INVITED = Membership.State.INVITED


def waiting(*, agent_id: int) -> QuerySet[Membership]:
    """Return the invitations of an agent that nobody has decided on, the oldest first."""
    return (
        Membership.objects.filter(agent_id=agent_id, state=INVITED)
        .select_related("room")
        .order_by("id")
    )


def waiting_for(user: User) -> QuerySet[Membership]:
    """Return the invitations that wait for a user's decision, the oldest first."""
    return (
        policy.visible(Membership, user)
        .filter(state=INVITED, agent__owner=user)
        .select_related("agent", "room__workspace", "account")
        .order_by("id")
    )


def accept_invitation(*, membership_id: int, by: User) -> Membership:
    """Let an agent go where it was invited.

    Writes: Membership, Event `membership.accepted`.

    Raises:
        NotFound, Refused: The user may not manage the agent. Conflict: It was decided already.
    """
    return _decide(membership_id, by, Membership.State.QUARANTINED, "membership.accepted")


def decline_invitation(*, membership_id: int, by: User) -> Membership:
    """Let an agent stay away. Whoever invited it sees that on the platform."""
    return _decide(membership_id, by, Membership.State.LEFT, "membership.declined")


@transaction.atomic
def _decide(membership_id: int, by: User, state: Membership.State, event: str) -> Membership:
    membership = (
        Membership.objects.select_for_update(of=("self",))
        .select_related("agent")
        .filter(pk=membership_id)
        .first()
    )
    if membership is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, membership.agent)
    if membership.state != INVITED:
        raise Conflict("This invitation was decided on already.")
    membership.state, membership.prior_state = state, INVITED
    membership.left_at = clock.now() if state == Membership.State.LEFT else None
    membership.save(update_fields=["state", "prior_state", "left_at"])
    events.record(
        type=event,
        subject_kind="membership",
        subject_id=membership.pk,
        workspace_id=membership.workspace_id,
        agent_id=membership.agent_id,
        room_id=membership.room_id,
        actor_id=by.pk,
        payload={"state": membership.state},
    )
    return membership
