"""What connectors have to know of the record before they hand something in."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef

from agentapp.appservices.queries import GhostLogin
from agentapp.conversation.models import Message, Reaction
from agentapp.conversation.rules import stored_id
from agentapp.identity.models import Identity, Participant, Room, Stay
from agentapp.presence.models import Membership
from agentapp.turns.models import Turn

MOST_STANDING = 20  # reactions of one person in one room that are looked at


def unknown_messages(
    *, workspace_id: int, platform: str, ids: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return which of these (room, message) ids have not arrived; one query."""
    wanted = set(ids)
    found = Message.objects.filter(
        room__workspace_id=workspace_id,
        room__platform=platform,
        room__external_id__in={room for room, _ in wanted},
        external_id__in={message for _, message in wanted},
        is_known=True,
    ).values_list("room__external_id", "external_id")
    return wanted - set(found)


def standing_reactions(
    *, workspace_id: int, platform: str, room_external_id: str, by: str
) -> list[tuple[str, str]]:
    """Return the newest reactions that somebody has in a room as (message, emoji); one query."""
    return list(
        Reaction.objects.filter(
            message__room__workspace_id=workspace_id,
            message__room__platform=platform,
            message__room__external_id=room_external_id,
            identity__external_id=by,
            is_present=True,
        )
        .order_by("-id")
        .values_list("message__external_id", "emoji")[:MOST_STANDING]
    )


def thinking_in(asked: Sequence[tuple[int, str]]) -> list[list[str]]:
    """Return the rooms for which a model works on an agent's words now; one query for all.

    Args:
        asked: Agents, each with the platform of its rooms. The answers are in their order.
    """
    rows = Turn.objects.filter(
        agent_id__in={agent_id for agent_id, _ in asked},
        status__in=[Turn.Status.QUEUED, Turn.Status.RUNNING],
        decision=Turn.Decision.RESPOND,
    ).values_list("agent_id", "room__platform", "room__external_id")
    rooms: dict[tuple[int, str | None], list[str]] = {}
    for agent_id, platform, room in rows:
        rooms.setdefault((agent_id, platform), []).append(str(room))
    return [rooms.get(one, []) for one in asked]


def rooms_inside(*, agent_id: int, account_id: uuid.UUID, on_the_way: bool = True) -> set[str]:
    """Return the rooms that a login of an agent is on record as being in; one query.

    Args:
        on_the_way: Also those that it was let into and may not have entered yet.
    """
    rows = Membership.objects.filter(
        agent_id=agent_id, account_id=account_id, left_at__isnull=True
    ).exclude(state=Membership.State.INVITED)
    if not on_the_way:
        rows = rows.exclude(prior_state=Membership.State.INVITED)
    return set(rows.values_list("room__external_id", flat=True))


def is_encrypted(*, workspace_id: int, platform: str, external_id: str) -> bool:
    """Say whether a room was ever seen encrypted; one query. There is no way back from that."""
    return Room.objects.filter(
        workspace_id=workspace_id,
        platform=platform,
        external_id=stored_id(external_id),
        encrypted=True,
    ).exists()


@dataclass(frozen=True, slots=True)
class ReadMark:
    """A room that a login is in, since when, and up to which of the platform's ids it is on record.

    `read_to` is "" for none.
    """

    external_id: str
    name: str
    kind: str
    read_to: str
    joined_at: datetime


def read_marks(*, agent_id: int, account_id: uuid.UUID) -> list[ReadMark]:
    """Return how far the rooms of a login are on record, those it is about to enter too.

    One query.
    """
    rows = (
        Membership.objects.filter(agent_id=agent_id, account_id=account_id, left_at__isnull=True)
        .exclude(state=Membership.State.INVITED)
        .values_list("room__external_id", "room__name", "room__kind", "read_to", "joined_at")
    )
    return [ReadMark(*row) for row in rows]


def people_of(*, workspace_id: int, platform: str, group: str, most: int) -> list[tuple[str, bool]]:
    """Return the people who are known in a server, and whether they left it; one query.

    Those who became known last come first; at most so many.
    """
    stays = Stay.objects.filter(identity=OuterRef("pk"), group_id=stored_id(group))
    wrote = Participant.objects.filter(
        identity=OuterRef("pk"),
        room__workspace=workspace_id,
        room__platform=platform,
        room__group_id=stored_id(group),
    )
    known = Identity.objects.filter(
        Exists(stays) | Exists(wrote),
        workspace=workspace_id,
        platform=platform,
        kind=Identity.Kind.HUMAN,
    ).annotate(is_gone=Exists(stays.filter(left_at__isnull=False)))
    return list(known.order_by("-pk").values_list("external_id", "is_gone")[:most])


def ghosts_inside(
    *, service_id: uuid.UUID, platform: str, rooms: Collection[str]
) -> dict[str, list[GhostLogin]]:
    """Return which users of an application service are on record as being in rooms; one query."""
    rows = (
        Membership.objects.filter(
            account__ghost__service_id=service_id,
            room__platform=platform,
            room__external_id__in=[stored_id(one) for one in rooms],
            left_at__isnull=True,
        )
        .exclude(state=Membership.State.INVITED)
        .order_by("account__external_id")
        .values_list(
            "room__external_id",
            "account__external_id",
            "account_id",
            "agent_id",
            "agent__name",
        )
    )
    found: dict[str, list[GhostLogin]] = {room: [] for room in rooms}
    for room, user_id, account_id, agent_id, name in rows:
        found.setdefault(room, []).append(GhostLogin(user_id, account_id, agent_id, name))
    return found


def ghosts_thinking(*, service_id: uuid.UUID) -> list[tuple[str, str]]:
    """Return which users of a service think now, each with the room it is for; one query."""
    return list(
        Turn.objects.filter(
            agent__accounts__ghost__service_id=service_id,
            room__platform=F("agent__accounts__platform"),
            status__in=[Turn.Status.QUEUED, Turn.Status.RUNNING],
            decision=Turn.Decision.RESPOND,
        ).values_list("agent__accounts__external_id", "room__external_id")
    )
