"""Finds or makes the rows that a platform's words stand for: the room, the writer, who is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Max, QuerySet

from agentapp.conversation.models import Message
from agentapp.conversation.rules import stored_id
from agentapp.foundation.envelope import Author, AuthorKind, Incoming, Place
from agentapp.foundation.errors import NotFound
from agentapp.foundation.prepared import planned, prepared
from agentapp.foundation.text import one_line
from agentapp.identity.models import Account, Identity, Room, Workspace
from agentapp.identity.services.people import LOCAL, ensure_identity, give_person, handles
from agentapp.intake import rules

MAX_ROOM_NAME = 120  # characters
WITH_PERSON = {Identity.Kind.HUMAN, Identity.Kind.SCRIPTED}

JOIN = """
INSERT INTO agentapp_participant (room_id, identity_id, read_through)
SELECT DISTINCT room_id, identity_id, 0
FROM unnest(%s::bigint[], %s::bigint[]) AS here(room_id, identity_id)
ORDER BY room_id, identity_id
ON CONFLICT (room_id, identity_id) DO UPDATE SET left_at = NULL
WHERE agentapp_participant.left_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A tenant on a platform: within it, external ids are unique."""

    workspace_id: int
    platform: str


class NoSuchRoom(NotFound):
    """There is no such web room."""


def locked_room(*, at: Whereabouts, place: Place) -> Room:
    """Return the room, locked until the transaction ends; a platform's new room is made.

    Raises:
        NoSuchRoom: A web room that nobody opened.
    """
    key = stored_id(place.external_id)
    room = _lock(at, key)
    if room is None and at.platform != LOCAL:
        _make_room(at, place, key)
        room = _lock(at, key)
    if room is None:
        raise NoSuchRoom
    return _renewed(room, place) if at.platform != LOCAL else room


def _lock(at: Whereabouts, key: str) -> Room | None:
    return _locked_room.first(workspace_id=at.workspace_id, platform=at.platform, external_id=key)


@prepared
def _locked_room(workspace_id: int, platform: str, external_id: str) -> QuerySet[Room]:
    return Room.objects.select_for_update(no_key=True).filter(
        workspace_id=workspace_id, platform=platform, external_id=external_id
    )


def key_of(incoming: Incoming) -> tuple[int, str]:
    """Return what names a message's room among the web rooms of all workspaces."""
    return incoming.workspace_id, stored_id(incoming.place.external_id)


def locked_web_rooms(messages: Iterable[Incoming]) -> dict[tuple[int, str], Room]:
    """Return the rooms of these messages by `key_of`, locked in the order of their ids.

    One query; rooms that nobody opened are not among them.
    """
    keys = {key_of(each) for each in messages}
    rooms = _locked_web_rooms(
        workspace_ids=[workspace_id for workspace_id, _ in keys],
        external_ids=[external_id for _, external_id in keys],
    )
    return {(room.workspace_id, room.external_id): room for room in rooms}


@prepared
def _locked_web_rooms(workspace_ids: list[int], external_ids: list[str]) -> QuerySet[Room]:
    return (
        Room.objects.select_for_update(no_key=True)
        .filter(workspace_id__any=workspace_ids, platform=LOCAL, external_id__any=external_ids)
        .order_by("pk")
    )


def known_writers(messages: Iterable[Incoming]) -> dict[tuple[int, str], Identity]:
    """Return the agents among these messages' writers by workspace and handle; one query."""
    keys = {(each.workspace_id, stored_id(each.author.external_id)) for each in messages}
    found = _agents(
        workspace_ids=[workspace_id for workspace_id, _ in keys],
        external_ids=[external_id for _, external_id in keys],
    )
    return {(each.workspace_id, each.external_id): each for each in found}


@prepared
def _agents(workspace_ids: list[int], external_ids: list[str]) -> QuerySet[Identity]:
    return Identity.objects.filter(
        workspace_id__any=workspace_ids,
        platform=LOCAL,
        external_id__any=external_ids,
        kind=Identity.Kind.AGENT,
    )


def writer(*, at: Whereabouts, author: Author) -> Identity:
    """Return the handle of whoever wrote something, made at first sight.

    A known handle keeps its kind, whatever the platform now says; one that is a login of one of
    our agents is that agent's.
    """
    key = stored_id(author.external_id)
    found = handles.first(workspace_id=at.workspace_id, platform=at.platform, external_id=key)
    if found is not None and (found.kind == Identity.Kind.AGENT or _is_up_to_date(found, author)):
        return found
    if found is None and (agent := _agent_handle(at, author, key)):
        return agent
    identity = ensure_identity(
        workspace=Workspace.objects.get(pk=at.workspace_id),
        platform=at.platform,
        external_id=key,
        name=author.name,
        # An agent of a host that is not this one is to us a bot.
        kind=AuthorKind.BOT if author.kind == AuthorKind.AGENT else author.kind,
    )
    return _with_person(identity)


def newest_in(room: Room) -> int:
    """Return the id of the newest message of a room; 0 for none."""
    return Message.objects.filter(room=room).aggregate(newest=Max("id"))["newest"] or 0


def enter(present: Iterable[tuple[Room, Identity]]) -> None:
    """Note who is in rooms: whoever wrote there. Agents have memberships instead."""
    rows = [(room.pk, who.pk) for room, who in present if who.kind != Identity.Kind.AGENT]
    if not rows:
        return
    with planned() as cursor:
        cursor.execute(JOIN, [[room_id for room_id, _ in rows], [pk for _, pk in rows]])


def named(*, at: Whereabouts, external_ids: Iterable[str]) -> list[int]:
    """Return the ids of the known handles among these; a stranger's name mentions nobody."""
    keys = {stored_id(each) for each in external_ids}
    if not keys:
        return []
    return list(
        Identity.objects.filter(
            workspace_id=at.workspace_id, platform=at.platform, external_id__in=keys
        ).values_list("id", flat=True)
    )


def named_in(*, room: Room, text: str) -> list[int]:
    """Return the handles that a text in a web room mentions as `@name`; at most one query.

    Agents and people who are in the room can be mentioned, and nobody else.
    """
    if "@" not in text:
        return []
    here = Identity.objects.filter(platform=LOCAL, workspace_id=room.workspace_id)
    agents = here.filter(agent__memberships__room=room, agent__memberships__left_at__isnull=True)
    people = here.filter(rooms__room=room, rooms__left_at__isnull=True)
    present = agents.values_list("pk", "name").union(people.values_list("pk", "name"))
    by_name = {name: pk for pk, name in present}
    return [by_name[name] for name in rules.mentioned(text, names=by_name)]


def _make_room(at: Whereabouts, place: Place, key: str) -> None:
    parent = locked_room(at=at, place=Place(external_id=place.parent)) if place.parent else None
    room = Room(
        workspace_id=at.workspace_id,
        platform=at.platform,
        external_id=key,
        kind=place.kind if place.kind in Room.Kind.values else Room.Kind.ROOM,
        parent=parent,
        name=one_line(place.name, limit=MAX_ROOM_NAME),
        visibility=_visibility(place),
        # Out there every reply waits for its owner until that is switched off.
        reply_mode=Room.ReplyMode.APPROVE,
    )
    if parent is not None and room.kind == Room.Kind.THREAD:
        # From here on the database keeps it as its room is.
        room.dial, room.reply_mode = parent.dial, parent.reply_mode
        room.limits, room.agents_allowed = parent.limits, parent.agents_allowed
    Room.objects.bulk_create([room], ignore_conflicts=True)


def _renewed(room: Room, place: Place) -> Room:
    """Take over a platform's new name for a room, and who can read there."""
    name = one_line(place.name, limit=MAX_ROOM_NAME) or room.name
    visibility = _visibility(place) if place.name else room.visibility
    if (room.name, room.visibility) != (name, visibility):
        room.name, room.visibility = name, visibility
        room.save(update_fields=["name", "visibility"])
    return room


def _visibility(place: Place) -> Room.Visibility:
    return Room.Visibility.PUBLIC if place.is_public else Room.Visibility.PRIVATE


def _is_up_to_date(identity: Identity, author: Author) -> bool:
    is_named = identity.name == (one_line(author.name) or identity.name)
    return is_named and (identity.person_id is not None or identity.kind not in WITH_PERSON)


def _agent_handle(at: Whereabouts, author: Author, key: str) -> Identity | None:
    account = (
        Account.objects.select_related("agent")
        .filter(workspace_id=at.workspace_id, platform=at.platform, external_id=key)
        .first()
    )
    if account is None:
        return None
    identity, _ = Identity.objects.get_or_create(
        workspace_id=at.workspace_id,
        platform=at.platform,
        external_id=key,
        defaults={
            "kind": Identity.Kind.AGENT,
            "agent": account.agent,
            "name": one_line(author.name) or account.agent.name,
        },
    )
    return identity


def _with_person(identity: Identity) -> Identity:
    if identity.person_id is None and identity.kind in WITH_PERSON:
        give_person(identity)
    return identity
