"""Web rooms, who is in them, and the links that lead in."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Invalid, NotFound, Refused
from agentapp.foundation.secrets import digest
from agentapp.foundation.text import one_line
from agentapp.identity import policy, queries, rules
from agentapp.identity.models import (
    Agent,
    Identity,
    Participant,
    Room,
    RoomLink,
    Seat,
    User,
    Workspace,
)
from agentapp.identity.policy import Verb
from agentapp.identity.services.people import LOCAL, ensure_local_identity
from agentapp.identity.services.tenancy import give_seat

MAX_ROOM_NAME = 120  # characters
LINK_HOURS = (1, 720)
TOKEN_BYTES = 24
GUEST_NAME_BYTES = 6


class NoSuchLink(NotFound):
    """This invitation is used up, too old or withdrawn. Ask for a new one."""


@transaction.atomic
def create_room(
    *,
    workspace: Workspace,
    name: str,
    visibility: str,
    by: User,
    kind: str = Room.Kind.ROOM,
    is_tryout: bool = False,
) -> Room:
    """Open a web room; its maker is the first one in it.

    Writes: Room, Participant. Announces: `room.created`.

    Raises:
        Invalid: Name, visibility or kind cannot be used. Refused: No owner's seat there.
    """
    if visibility not in Room.Visibility.values or kind not in Room.Kind.values:
        raise Invalid("A room is public or private, and of a known kind.")
    if not by.is_superuser and not policy.has_seat(by, workspace.pk, Seat.Role.OWNER):
        raise Refused("Only an owner of this workspace can open rooms in it.")
    room = Room.objects.create(
        workspace=workspace,
        platform=LOCAL,
        external_id=f"room:{secrets.token_hex(10)}",
        kind=kind,
        name=rules.checked_name(name, limit=MAX_ROOM_NAME),
        visibility=visibility,
        is_tryout=is_tryout,
    )
    _enter(room, ensure_local_identity(user=by, workspace=workspace))
    _record("room.created", room, by, {"kind": kind, "visibility": visibility})
    return room


def set_dial(*, room_id: int, dial: str, by: User) -> Room:
    """Set how much agents talk in a room: silent, asked or joins."""
    if dial not in Room.Dial.values:
        raise Invalid(f"There is no setting {one_line(dial)!r}.")
    return _change(room_id, by, dial=dial)


@transaction.atomic
def set_reply_mode(*, room_id: int, mode: str, by: User) -> Room:
    """Set whether agents' replies wait for their owner (approve) or go out (own).

    Raises:
        Refused: `own` while an agent of somebody else is in the room: only its owner may free it.
    """
    if mode not in Room.ReplyMode.values:
        raise Invalid(f"There is no setting {one_line(mode)!r}.")
    if mode == Room.ReplyMode.OWN and not by.is_superuser and _others_agents(room_id, by):
        raise Refused("An agent of another owner is here; only its owner may let it speak freely.")
    return _change(room_id, by, reply_mode=mode)


def rename_room(*, room_id: int, name: str, by: User) -> Room:
    """Give a room another name."""
    return _change(room_id, by, name=rules.checked_name(name, limit=MAX_ROOM_NAME))


@transaction.atomic
def archive_room(*, room_id: int, by: User) -> Room:
    """Close a room for good; what was said stays readable."""
    room = _managed(room_id, by)
    if room.gone_at is None:
        Room.objects.filter(pk=room_id, gone_at__isnull=True).update(gone_at=GreenroomNow())
        room.refresh_from_db(fields=["gone_at"])
        _record("room.changed", room, by, {"gone": True})
    return room


@transaction.atomic
def make_room_link(*, room_id: int, by: User, hours: int = 72) -> str:
    """Make an invitation into a room and return its token, which is stored only hashed.

    Raises:
        Invalid: Not between 1 and 720 hours. Refused: A direct or try-out room takes nobody else.
    """
    shortest, longest = LINK_HOURS
    if not shortest <= hours <= longest:
        raise Invalid(f"An invitation lasts between {shortest} and {longest} hours.")
    room = _managed(room_id, by)
    if room.platform != LOCAL or room.kind == Room.Kind.DIRECT or room.is_tryout or room.gone_at:
        raise Refused("Nobody else can be let into this room.")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    RoomLink.objects.create(
        room=room,
        token_hash=digest(token),
        made_by=by,
        expires_at=GreenroomNow() + timedelta(hours=hours),
    )
    _record("room.link.made", room, by, {"hours": hours})
    return token


@transaction.atomic
def revoke_room_links(*, room_id: int, by: User) -> int:
    """Withdraw every open invitation into a room and return how many there were."""
    room = _managed(room_id, by)
    ended = RoomLink.objects.filter(room=room, revoked_at__isnull=True).update(
        revoked_at=GreenroomNow()
    )
    if ended:
        _record("room.link.revoked", room, by, {"count": ended})
    return ended


@transaction.atomic
def join_by_link(*, token: str, name: str, user: User | None = None) -> tuple[User, Room]:
    """Let somebody in by an invitation: a guest under a name, or a user who is logged in.

    Writes: RoomLink (one use less), User (guest), Seat (member), Identity, Participant.
    Announces: `user.joined`. Somebody already in the room uses nothing up.

    Raises:
        NoSuchLink: Unknown, used up, withdrawn or too old.
        Invalid: No name, or a name that somebody in the room or an agent bears.
    """
    room = queries.room_of_link(token=token)
    if room is None:
        raise NoSuchLink
    if user is not None and _is_in(room, user):
        return user, room
    if user is None:
        user = _make_guest(room, name)
    _use_up(token)
    give_seat(user=user, workspace=room.workspace, role=Seat.Role.MEMBER)
    _enter(room, ensure_local_identity(user=user, workspace=room.workspace))
    events.record(
        type="user.joined",
        subject_kind="user",
        subject_id=user.pk,
        workspace_id=room.workspace_id,
        room_id=room.pk,
        actor_id=user.pk,
        payload={"how": "room link"},
    )
    return user, room


@transaction.atomic
def join_room(*, room_id: int, user: User) -> Participant:
    """Enter a room that the user runs; others need an invitation."""
    room = policy.get(Room, user, pk=room_id)
    policy.require(user, Verb.CHAT, room)
    participant = _enter(room, ensure_local_identity(user=user, workspace=room.workspace))
    _record("room.changed", room, user, {"joined": participant.identity_id})
    return participant


@transaction.atomic
def leave_room(*, room_id: int, user: User) -> bool:
    """Leave a room; say whether the user was in it."""
    room = policy.get(Room, user, pk=room_id)
    left = Participant.objects.filter(room=room, identity__user=user, left_at__isnull=True).update(
        left_at=GreenroomNow()
    )
    if left:
        _record("room.changed", room, user, {"left": user.pk})
    return bool(left)


def mark_read(*, room_id: int, user: User, through: int) -> None:
    """Note that the user saw a room up to a message; never moves back and writes no event."""
    Participant.objects.filter(
        room_id=room_id, identity__user=user, read_through__lt=through
    ).update(read_through=through)


@transaction.atomic
def _change(room_id: int, by: User, **fields: str) -> Room:
    room = _managed(room_id, by)
    changed = {key: value for key, value in fields.items() if getattr(room, key) != value}
    if changed:
        Room.objects.filter(pk=room_id).update(**changed)
        room.refresh_from_db()
        _record("room.changed", room, by, dict(changed))
    return room


def _managed(room_id: int, by: User) -> Room:
    room = Room.objects.select_related("workspace").filter(pk=room_id).first()
    if room is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, room)
    return room


def _others_agents(room_id: int, by: User) -> bool:
    return (
        Agent.objects.filter(memberships__room=room_id, memberships__left_at__isnull=True)
        .exclude(owner=by)
        .exists()
    )


def _enter(room: Room, identity: Identity) -> Participant:
    participant, is_new = Participant.objects.get_or_create(room=room, identity=identity)
    if not is_new and participant.left_at is not None:
        Participant.objects.filter(pk=participant.pk).update(left_at=None)
        participant.left_at = None
    return participant


def _is_in(room: Room, user: User) -> bool:
    return Participant.objects.filter(room=room, identity__user=user, left_at__isnull=True).exists()


def _make_guest(room: Room, name: str) -> User:
    shown = rules.checked_name(name)
    if _is_taken(room, shown):
        raise Invalid("Somebody here already has this name; add something to yours.")
    user = User(
        username=f"guest-{secrets.token_hex(GUEST_NAME_BYTES)}",
        display_name=shown,
        is_guest=True,
        timezone=room.workspace.timezone,
    )
    user.set_unusable_password()
    user.save()
    return user


def _is_taken(room: Room, name: str) -> bool:
    """A name stands for one: mentions must not be caught by somebody who took an agent's name."""
    return (
        Identity.objects.filter(workspace=room.workspace, name__iexact=name)
        .filter(Q(kind=Identity.Kind.AGENT) | Q(rooms__room=room, rooms__left_at__isnull=True))
        .exists()
    )


def _use_up(token: str) -> None:
    used = RoomLink.objects.filter(
        token_hash=digest(token),
        revoked_at__isnull=True,
        expires_at__gt=GreenroomNow(),
        uses_left__gt=0,
    ).update(uses_left=F("uses_left") - 1)
    if not used:
        raise NoSuchLink


def _record(type_: str, room: Room, by: User, payload: dict[str, object]) -> None:
    events.record(
        type=type_,
        subject_kind="room",
        subject_id=room.pk,
        workspace_id=room.workspace_id,
        room_id=room.pk,
        actor_id=by.pk,
        payload=payload,
    )
