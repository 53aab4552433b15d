"""What else waits on Approvals beside words: invitations, and offers about replies."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from agentapp.drafts.offers import accepted_lately, open_offers
from agentapp.events.queries import latest_of
from agentapp.identity.models import Agent, Room, User
from agentapp.presence.invitations import waiting_for
from agentapp.presence.models import Membership
from dashboard.presenters.faces import Face, agent_face
from dashboard.presenters.rooms import RoomShown, presence_in, show_room
from dashboard.presenters.stamps import stamp

MAX_INVITATIONS = 50  # on one page


@dataclass(frozen=True, slots=True)
class InvitationShown:
    """An invitation that waits for an answer."""

    id: int
    account_id: uuid.UUID
    agent: Face
    room: RoomShown
    login: str
    by: str
    at: datetime
    stamp: str


@dataclass(frozen=True, slots=True)
class OfferShown:
    """That replies could go on their own, as a card says it; for a while also that they do."""

    key: str
    is_done: bool
    agent_id: int
    agent: Face
    room: RoomShown
    count: int
    stamp: str


def show_invitations(user: User) -> list[InvitationShown]:
    """Return the invitations of a user's agents, the oldest first; four queries for any number."""
    rows = list(waiting_for(user)[:MAX_INVITATIONS])
    here = presence_in([row.room for row in rows])
    told = latest_of(
        type_="membership.invited", subject_kind="membership", ids=[row.pk for row in rows]
    )
    return [
        _invitation(row, show_room(row.room, here[row.room_id]), _by(told.get(row.pk, {})))
        for row in rows
    ]


def _by(payload: dict[str, object]) -> str:
    return str(payload.get("by") or "Somebody")


def _invitation(row: Membership, room: RoomShown, by: str) -> InvitationShown:
    face = agent_face(row.agent)
    return InvitationShown(
        id=row.pk,
        account_id=row.account_id,
        agent=face,
        room=room,
        login=row.account.external_id,
        by=by,
        at=row.joined_at,
        stamp=stamp(face, room.name, by),
    )


def show_offers(user: User, *, room_id: int | None = None) -> list[OfferShown]:
    """Return the offers to a user, of one room or all; at most six queries for any number.

    One that was just accepted stays for a minute, so that it can be taken back.
    """
    found = open_offers(owner_id=user.pk, room_id=room_id)
    just = accepted_lately(owner_id=user.pk, room_id=room_id)
    if not found and not just:
        return []
    pairs = [(offer.agent_id, offer.room_id, offer.count) for offer in found]
    pairs += [(row.agent_id, row.room_id, 0) for row in just]
    agents = Agent.objects.in_bulk([agent_id for agent_id, _, _ in pairs])
    rooms = Room.objects.select_related("workspace").in_bulk([room_id for _, room_id, _ in pairs])
    here = presence_in(rooms.values())
    return [
        _offer(agents[agent_id], show_room(rooms[pk], here[pk]), count)
        for agent_id, pk, count in pairs
    ]


def _offer(agent: Agent, room: RoomShown, count: int) -> OfferShown:
    face = agent_face(agent)
    return OfferShown(
        key=f"offer-{agent.pk}-{room.id}",
        is_done=not count,
        agent_id=agent.pk,
        agent=face,
        room=room,
        count=count,
        stamp=stamp(face, room.name, count),
    )
