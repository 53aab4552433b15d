"""Offers an owner to let replies in a room go on their own, once enough went out unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction

from agentapp.drafts.models import ReplyOffer
from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict, NotFound
from agentapp.identity import policy
from agentapp.identity.models import Agent, Room, User
from agentapp.identity.policy import Verb
from agentapp.identity.services.rooms import set_reply_mode
from agentapp.notifications.services import notify

FIRST_AFTER = 5  # replies that an owner sent as the agent wrote them
STAYS = timedelta(minutes=1)  # that an accepted offer can be taken back where it stood
AGAIN_AFTER = 10  # more of them, after "not now"

# A reply that was changed, refused or taken back starts the count anew. Replies to one person in
# private are never offered.
_OPEN = """
SELECT m.agent_id, m.room_id, agent.owner_id, room.workspace_id, count(sent.id),
    coalesce(o.times, 0)
FROM agentapp_membership m
JOIN agentapp_room room ON room.id = m.room_id
JOIN agentapp_agent agent ON agent.id = m.agent_id
LEFT JOIN agentapp_replyoffer o ON o.agent_id = m.agent_id AND o.room_id = m.room_id
CROSS JOIN LATERAL (
    SELECT max(coalesce(d.decided_at, d.created_at)) AS at FROM agentapp_draft d
    WHERE d.agent_id = m.agent_id AND d.room_id = m.room_id AND d.kind = 'message'
      AND (d.status IN ('rejected', 'retracted')
           OR EXISTS (SELECT FROM agentapp_draftrevision r WHERE r.draft_id = d.id AND r.n > 1))
) changed
JOIN agentapp_draft sent ON sent.agent_id = m.agent_id AND sent.room_id = m.room_id
WHERE m.left_at IS NULL AND m.state = 'active'
  AND room.reply_mode = 'approve' AND room.gone_at IS NULL
  AND room.kind <> 'direct' AND NOT room.is_tryout
  AND agent.status IN ('trial', 'live')
  AND coalesce(agent.approval_rules ->> 'message', '') = ''
  AND (%(owner)s::bigint IS NULL OR agent.owner_id = %(owner)s)
  AND (%(room)s::bigint IS NULL OR m.room_id = %(room)s)
  AND sent.kind = 'message' AND sent.status = 'published' AND sent.turn_id IS NOT NULL
  AND sent.decided_by_id IS NOT NULL
  AND (changed.at IS NULL OR sent.decided_at > changed.at)
  AND (o.id IS NULL OR sent.decided_at > o.answered_at)
GROUP BY m.agent_id, m.room_id, agent.owner_id, room.workspace_id, o.id
HAVING count(sent.id) >= CASE WHEN o.is_accepted IS FALSE THEN %(again)s ELSE %(first)s END
ORDER BY m.agent_id, m.room_id
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """That `count` replies of an agent in a room went out unchanged; `times` it was answered."""

    agent_id: int
    room_id: int
    owner_id: int
    workspace_id: int
    count: int
    times: int


def open_offers(*, owner_id: int | None = None, room_id: int | None = None) -> list[Offer]:
    """Return the offers that wait for an answer, of all owners or one; one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN,
            {"owner": owner_id, "room": room_id, "first": FIRST_AFTER, "again": AGAIN_AFTER},
        )
        return [Offer(*row) for row in cursor.fetchall()]


def accepted_lately(*, owner_id: int, room_id: int | None = None) -> list[ReplyOffer]:
    """Return what an owner accepted within the last minute and has not taken back; one query."""
    rows = ReplyOffer.objects.filter(
        agent__owner=owner_id,
        is_accepted=True,
        answered_at__gt=GreenroomNow() - STAYS,
        room__reply_mode=Room.ReplyMode.OWN,
    )
    return list(rows if room_id is None else rows.filter(room=room_id))


def tell_owners() -> int:
    """Leave owners a note, once per offer. Harmless when run twice. Returns how many are open."""
    found = open_offers()
    agents = Agent.objects.in_bulk([offer.agent_id for offer in found])
    rooms = Room.objects.in_bulk([offer.room_id for offer in found])
    for offer in found:
        agent, room = agents[offer.agent_id], rooms[offer.room_id]
        notify(
            user_id=offer.owner_id,
            workspace_id=offer.workspace_id,
            kind=f"replies.offer.{offer.agent_id}.{offer.times}",
            subject_kind="room",
            subject_id=offer.room_id,
            text=f"{offer.count} replies of {agent.name} in {room} went out unchanged. Under "
            "Approvals you can let replies there go on their own.",
        )
    return len(found)


@transaction.atomic
def accept(*, agent_id: int, room_id: int, by: User) -> Room:
    """Let replies in the room go on their own, as the room's switch does.

    Writes: Room, ReplyOffer, Events `room.changed` and `agent.draft.offer.accepted`.

    Raises:
        NotFound, Refused: The user may not decide for the agent, or not for all agents there.
        Conflict: There is no such offer any more.
    """
    offer = _locked_offer(agent_id, room_id, by)
    room = set_reply_mode(room_id=room_id, mode=Room.ReplyMode.OWN, by=by)
    _answer(offer, by, is_accepted=True)
    return room


@transaction.atomic
def decline(*, agent_id: int, room_id: int, by: User) -> None:
    """Keep approving; it is asked again after `AGAIN_AFTER` more.

    Writes: ReplyOffer, Event `agent.draft.offer.declined`. Raises: as `accept`.
    """
    _answer(_locked_offer(agent_id, room_id, by), by, is_accepted=False)


def _locked_offer(agent_id: int, room_id: int, by: User) -> Offer:
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound
    policy.require(by, Verb.APPROVE, agent)
    found = open_offers(owner_id=agent.owner_id, room_id=room_id)
    offer = next((one for one in found if one.agent_id == agent_id), None)
    if offer is None:
        raise Conflict("This was answered already, or a reply was changed meanwhile.")
    return offer


def _answer(offer: Offer, by: User, *, is_accepted: bool) -> None:
    ReplyOffer.objects.update_or_create(
        agent_id=offer.agent_id,
        room_id=offer.room_id,
        defaults={
            "workspace_id": offer.workspace_id,
            "is_accepted": is_accepted,
            "answered_at": GreenroomNow(),
            "times": offer.times + 1,
        },
    )
    events.record(
        type=f"agent.draft.offer.{'accepted' if is_accepted else 'declined'}",
        subject_kind="room",
        subject_id=offer.room_id,
        workspace_id=offer.workspace_id,
        agent_id=offer.agent_id,
        room_id=offer.room_id,
        actor_id=by.pk,
        payload={"unchanged": offer.count},
    )
