"""Who came into a group of rooms, such as a server, and who left it, as their platform tells it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from agentapp.events import services as events
from agentapp.foundation import clock
from agentapp.foundation.text import one_line
from agentapp.identity.models import Identity, Participant, Room, Stay

MAX_NAME = 120  # characters of a group's name


@dataclass(frozen=True, slots=True)
class Group:
    """A server, or whatever else a platform calls several rooms that people come into at once."""

    external_id: str
    name: str = ""


@transaction.atomic
def came(*, identity: Identity, group: Group, at: datetime | None) -> bool:
    """Note that somebody came into a group; once for each time they did. Says whether it is news.

    Who had left is there again.

    Args:
        at: When, as the platform says; it tells one coming from another.

    Writes: Stay, Participant, Event `person.joined`.
    """
    stay, is_new = _locked(identity, group)
    is_known = stay.joined_at is not None and (at is None or at <= stay.joined_at)
    if not is_new and stay.left_at is None and is_known:
        return False
    _return(stay)
    Stay.objects.filter(pk=stay.pk).update(joined_at=at or clock.now(), group_name=_name(group))
    _record("person.joined", identity, group)
    return True


@transaction.atomic
def left(*, identity: Identity, group: Group) -> bool:
    """Note that somebody left a group, unless that is known. Says whether it is news.

    Platforms do not say when; it counts from now, by the database's clock.

    Writes: Stay, Participant, Event `person.left`.
    """
    stay, _ = _locked(identity, group)
    if stay.left_at is not None:
        return False
    now = clock.now()
    Stay.objects.filter(pk=stay.pk).update(left_at=now, group_name=_name(group))
    Participant.objects.filter(
        identity=identity, room__in=rooms_of(identity, group.external_id), left_at__isnull=True
    ).update(left_at=now)
    _record("person.left", identity, group)
    return True


@transaction.atomic
def spoke(*, room: Room, said: dict[str, datetime | None]) -> None:
    """Have those be there again who wrote after they left; nobody saw how they came back.

    What was written before and came late changes nothing: they stay gone.

    Args:
        room: Locked by the caller.
        said: When each handle wrote last, by its external id; None is now.

    Writes: Stay, Participant, Event `person.joined`; nothing where nobody of them was gone.
    """
    for stay in gone_from(room, said):
        identity, at = stay.identity, said[stay.identity.external_id]
        if at is None or (stay.left_at is not None and at > stay.left_at):
            _return(stay)
            _record("person.joined", identity, Group(stay.group_id, stay.group_name))
        else:
            Participant.objects.filter(identity=identity, room=room).update(left_at=stay.left_at)


def gone_from(room: Room, external_ids: Collection[str]) -> QuerySet[Stay]:
    """Return the stays that ended in a room's group, of these handles; one query."""
    return (
        Stay.objects.select_for_update(of=("self",), no_key=True)
        .filter(
            identity__workspace_id=room.workspace_id,
            identity__platform=room.platform,
            identity__external_id__in=external_ids,
            group_id=room.group_id,
            left_at__isnull=False,
        )
        .select_related("identity")
    )


def rooms_of(identity: Identity, group_id: str) -> QuerySet[Room]:
    """Return the rooms of a group on a handle's platform."""
    return Room.objects.filter(
        workspace_id=identity.workspace_id, platform=identity.platform, group_id=group_id
    ).exclude(group_id="")


def _locked(identity: Identity, group: Group) -> tuple[Stay, bool]:
    stay, is_new = Stay.objects.get_or_create(
        identity=identity, group_id=group.external_id, defaults={"group_name": _name(group)}
    )
    return Stay.objects.select_for_update(no_key=True).get(pk=stay.pk), is_new


def _return(stay: Stay) -> None:
    if stay.left_at is None:
        return
    Participant.objects.filter(
        identity=stay.identity_id,
        room__in=rooms_of(stay.identity, stay.group_id),
        left_at=stay.left_at,
    ).update(left_at=None)
    Stay.objects.filter(pk=stay.pk).update(left_at=None)


def _name(group: Group) -> str:
    return one_line(group.name, limit=MAX_NAME)


def _record(type_: str, identity: Identity, group: Group) -> None:
    events.record(
        type=type_,
        subject_kind="person",
        subject_id=identity.person_id or 0,
        workspace_id=identity.workspace_id,
        payload={
            "platform": identity.platform,
            "handle": identity.pk,
            "group": _name(group),
        },
    )
