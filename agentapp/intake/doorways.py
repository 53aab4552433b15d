"""Owners let agents into rooms that a platform shows their login."""

from __future__ import annotations

from django.db import transaction

from agentapp.events import services as events
from agentapp.foundation import clock
from agentapp.foundation.envelope import Place
from agentapp.foundation.errors import Conflict, NotFound, Refused
from agentapp.identity import policy
from agentapp.identity.models import Account, User
from agentapp.identity.policy import Verb
from agentapp.intake import places
from agentapp.intake.places import Whereabouts
from agentapp.presence.models import Doorway, Membership


@transaction.atomic
def pick_doorway(*, doorway_id: int, by: User) -> Membership:
    """Let an agent into a room that it is shown; it reads and talks there from now on.

    It is quarantined until its process has gone in, and active after that.

    Writes: Room (at first sight), Membership, Event `membership.accepted`.

    Raises:
        NotFound, Refused: The user may not manage the agent, or it may not write there.
        Conflict: It is in already, or the login is gone.
    """
    doorway = Doorway.objects.select_related("account__agent").filter(pk=doorway_id).first()
    if doorway is None:
        raise NotFound
    account = doorway.account
    policy.require(by, Verb.MANAGE, account.agent)
    if account.state != Account.State.ON or doorway.is_group_left:
        raise Conflict("This login is no longer there.")
    if doorway.hindrance:
        raise Refused(doorway.hindrance)
    place = Place(
        doorway.external_id,
        name=f"{doorway.name} ({doorway.group_name})",
        is_public=doorway.is_public,
    )
    at = Whereabouts(account.workspace_id, account.platform)
    room = places.locked_room(at=at, place=place)
    if Membership.objects.filter(room=room, agent=account.agent, left_at__isnull=True).exists():
        raise Conflict("It is in that room already.")
    membership = Membership.objects.create(
        workspace_id=room.workspace_id,
        agent=account.agent,
        room=room,
        account=account,
        state=Membership.State.QUARANTINED,
        prior_state=Membership.State.INVITED,
        joined_at=clock.now(),
        joined_after=places.newest_in(room),
    )
    events.record(
        type="membership.accepted",
        subject_kind="membership",
        subject_id=membership.pk,
        workspace_id=room.workspace_id,
        agent_id=account.agent_id,
        room_id=room.pk,
        actor_id=by.pk,
        payload={"state": membership.state},
    )
    return membership
