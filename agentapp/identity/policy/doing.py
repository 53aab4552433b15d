"""What somebody may do with a row. Denies by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from django.db.models import Model, QuerySet

from agentapp.foundation.errors import NotFound, Refused
from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Agent, Participant, Room, Seat, User, Workspace
from agentapp.identity.policy.seeing import Viewer, scope_of, visible

Holder = Agent | Room | User | Workspace


class Verb(StrEnum):
    """What somebody may want to do with a row."""

    VIEW = "view"
    MANAGE = "manage"
    APPROVE = "approve"
    MODERATE = "moderate"
    CHAT = "chat"
    ADMIN = "admin"


def can(user: Viewer, verb: Verb, obj: Model) -> bool:
    """Say whether this user may do `verb` with this row. Asks the database at most three times."""
    if not isinstance(user, User) or not user.is_active:
        return False
    return _VERBS[verb](user, obj)


def require(user: Viewer, verb: Verb, obj: Model) -> None:
    """Let the allowed pass.

    Raises:
        NotFound: The user may not even see the row.
        Refused: The user sees it but may not do this.
    """
    if can(user, verb, obj):
        return
    if verb is Verb.VIEW or not can(user, Verb.VIEW, obj):
        raise NotFound
    raise Refused("You may look at this, but not do that with it.")


def may_all_chat(asked: Sequence[tuple[User, Room]]) -> bool:
    """Say whether each of these users is at home in its room and may chat there; two queries.

    False only means that `require` has to be asked about each of them.
    """
    at_home = _participations.many(
        [{"room_id": room.pk, "user_id": user.pk} for user, room in asked]
    )
    seats = _roles.many(
        [{"user_id": user.pk, "workspace_id": room.workspace_id} for user, room in asked]
    )
    return all(
        user.is_active and room.gone_at is None and bool(is_in) and bool(roles)
        for (user, room), is_in, roles in zip(asked, at_home, seats, strict=True)
    )


def has_seat(user: Viewer, workspace_id: int, *roles: Seat.Role) -> bool:
    """Say whether the user holds one of these roles (any role when none is named) there."""
    if not isinstance(user, User) or not user.is_active:
        return False
    held = _roles(user_id=user.pk, workspace_id=workspace_id)
    return bool(set(held) & set(roles) if roles else held)


def _may_view(user: User, obj: Model) -> bool:
    return visible(type(obj), user).filter(pk=obj.pk).exists()


def _may_manage(user: User, obj: Model) -> bool:
    if user.is_superuser:
        return True
    holder = _holder_of(obj)
    if isinstance(holder, User):
        return holder.pk == user.pk
    if holder is None or not has_seat(user, _workspace_id(holder), Seat.Role.OWNER):
        return False
    if isinstance(holder, Agent):
        return holder.owner_id == user.pk
    return isinstance(holder, Workspace) or _is_at_home(user, holder)


def _is_at_home(user: User, room: Room) -> bool:
    """An owner runs public rooms, rooms they are in, and rooms where an agent of theirs is."""
    if room.visibility == Room.Visibility.PUBLIC and room.kind != Room.Kind.DIRECT:
        return True
    return (
        _is_participant(user, room)
        or Room.objects.filter(
            pk=room.pk, memberships__agent__owner=user, memberships__left_at__isnull=True
        ).exists()
    )


def _may_approve(user: User, obj: Model) -> bool:
    return isinstance(_holder_of(obj), Agent) and _may_manage(user, obj)


def _may_moderate(user: User, obj: Model) -> bool:
    holder = _holder_of(obj)
    if holder is None or isinstance(holder, User):
        return False
    return user.is_superuser or has_seat(user, _workspace_id(holder), Seat.Role.MODERATOR)


def _may_chat(user: User, obj: Model) -> bool:
    if not isinstance(obj, Room) or obj.gone_at is not None:
        return False
    if _is_participant(user, obj):
        return user.is_superuser or has_seat(user, obj.workspace_id)
    if obj.kind == Room.Kind.DIRECT:
        return False
    is_open = obj.visibility == Room.Visibility.PUBLIC and not user.is_guest
    return (is_open and has_seat(user, obj.workspace_id)) or _may_manage(user, obj)


def _may_administer(user: User, _obj: Model) -> bool:
    return user.is_superuser


_VERBS: dict[Verb, Callable[[User, Model], bool]] = {
    Verb.VIEW: _may_view,
    Verb.MANAGE: _may_manage,
    Verb.APPROVE: _may_approve,
    Verb.MODERATE: _may_moderate,
    Verb.CHAT: _may_chat,
    Verb.ADMIN: _may_administer,
}


def _is_participant(user: User, room: Room) -> bool:
    return bool(_participations(room_id=room.pk, user_id=user.pk))


@prepared
def _participations(room_id: int, user_id: int) -> QuerySet[Participant, int]:
    return Participant.objects.filter(
        room_id=room_id, identity__user_id=user_id, left_at__isnull=True
    ).values_list("pk", flat=True)[:1]


@prepared
def _roles(user_id: int, workspace_id: int) -> QuerySet[Seat, str]:
    return Seat.objects.filter(user_id=user_id, workspace_id=workspace_id).values_list(
        "role", flat=True
    )


def _holder_of(obj: Model) -> Holder | None:
    """Follow the scope path from a row to what decides about it."""
    path, anchor = scope_of(type(obj))
    if anchor is None:
        return None
    found: Any = obj
    for name in path.split("__") if path else []:
        found = getattr(found, name)
    return found if isinstance(found, (Agent, Room, User, Workspace)) else None


def _workspace_id(holder: Agent | Room | Workspace) -> int:
    return holder.pk if isinstance(holder, Workspace) else holder.workspace_id
