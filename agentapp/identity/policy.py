"""Who may see and do what. Denies by default; every model says by `scope_path` whose it is.

`scope_path` is the path of foreign keys from a model to the Agent, Workspace, Room or User that
decides about it; "" when the model itself is one of these, and "host" for what only the admin sees.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import RawSQL

from agentapp.foundation.errors import AgentError, NotFound, Refused
from agentapp.foundation.prepared import array, prepared
from agentapp.identity.models import Agent, Participant, Room, Seat, User, Workspace
from agentapp.identity.sight import rooms_of_each

HOST = "host"
Viewer = User | AnonymousUser
Holder = Agent | Room | User | Workspace
M = TypeVar("M", bound=Model)
_NOTHING = Q(pk__in=[])


class Verb(StrEnum):
    """What somebody may want to do with a row."""

    VIEW = "view"
    MANAGE = "manage"
    APPROVE = "approve"
    MODERATE = "moderate"
    CHAT = "chat"
    ADMIN = "admin"


@dataclass(frozen=True)
class _Each:
    """Stands for a user in the rules: each row of `_TO_EACH` in turn."""

    pk: RawSQL
    is_guest: bool


Asker = User | _Each
_TO_EACH = """
    SELECT array_agg(id), seen FROM (
        SELECT id, CASE WHEN is_superuser THEN ARRAY({every}) WHEN is_guest THEN ARRAY({guests})
            ELSE ARRAY({others}) END AS seen
        FROM agentapp_user AS asker WHERE id = ANY(%s::bigint[]) AND is_active
    ) AS each GROUP BY seen
"""


class Unscoped(AgentError):
    """A model has no usable `scope_path`, so nobody may see its rows."""


def visible(model: type[M], user: Viewer) -> QuerySet[M]:
    """Return the rows of a model that this user may read; none for strangers.

    Raises:
        Unscoped: The model's `scope_path` is missing or does not end at a known owner.
    """
    path, anchor = scope_of(model)
    rows: QuerySet[M] = model._default_manager.all()
    if not isinstance(user, User) or not user.is_active:
        return rows.none()
    if user.is_superuser:
        return rows
    if anchor is None:
        return rows.none()
    return rows.filter(_rule(model, path, anchor, user))


def visible_to_each(
    model: type[Model], user_ids: Collection[int], *, column: str = "pk"
) -> dict[int, frozenset[int]]:
    """Return by user id what `visible` returns for each of them, as one of its columns.

    By the same rules, in one query (for rooms, `sight` has one per rule). Users who see the same
    share one set; who is gone, or no longer active, is missing. `column` holds numbers.

    Raises:
        Unscoped: As `visible`.
    """
    if model is Room and column == "pk":
        return rooms_of_each(user_ids)
    query, parameters = _to_each(model, column)
    with connection.cursor() as cursor:
        cursor.execute(query, [*parameters, array(user_ids, "bigint")])
        groups = [(ids, frozenset(seen)) for ids, seen in cursor.fetchall()]
    return {user_id: seen for ids, seen in groups for user_id in ids}


@cache
def _to_each(model: type[Model], column: str) -> tuple[str, list[Any]]:
    """Return the query of `visible_to_each` and its parameters, but for the users."""
    path, anchor = scope_of(model)
    every = model._default_manager.all()
    ranks = {"every": every}
    for name, is_guest in (("guests", True), ("others", False)):
        asker = _Each(RawSQL("asker.id", []), is_guest=is_guest)
        ranks[name] = every.filter(
            _rule(model, path, anchor, asker) if anchor else Q(pk__isnull=True)
        )
    # Ordered, so that two who see the same come out as one group.
    queries = {
        name: rows.order_by(column).values(column).distinct().query.sql_with_params()
        for name, rows in ranks.items()
    }
    parameters = [value for _, values in queries.values() for value in values]
    return _TO_EACH.format(**{name: query for name, (query, _) in queries.items()}), parameters


def get(model: type[M], user: Viewer, **lookup: object) -> M:
    """Return the one visible row that matches.

    Raises:
        NotFound: There is none, or this user may not see it; the two look the same.
    """
    row = visible(model, user).filter(**lookup).first()
    if row is None:
        raise NotFound
    return row


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


def has_seat(user: Viewer, workspace_id: int, *roles: Seat.Role) -> bool:
    """Say whether the user holds one of these roles (any role when none is named) there."""
    if not isinstance(user, User) or not user.is_active:
        return False
    held = _roles(user_id=user.pk, workspace_id=workspace_id)
    return bool(set(held) & set(roles) if roles else held)


def scope_of(model: type[Model]) -> tuple[str, type[Model] | None]:
    """Return a model's scope path and the model at its end; None for the host's own tables."""
    path = getattr(model, "scope_path", None)
    if not isinstance(path, str):
        raise Unscoped(f"{model.__name__} has no scope_path.")
    if path == HOST:
        return path, None
    anchor: type[Model] = model
    for name in path.split("__") if path else []:
        related = anchor._meta.get_field(name).related_model
        if related is None or isinstance(related, str):
            raise Unscoped(f"{model.__name__}.scope_path stops at {name!r}.")
        anchor = related
    if anchor not in {Agent, Workspace, Room, User}:
        raise Unscoped(f"{model.__name__}.scope_path ends at {anchor.__name__}.")
    return path, anchor


def _rule(model: type[Model], path: str, anchor: type[Model], user: Asker) -> Q:
    """Return the condition on `model` under which this user owns or shares what it belongs to."""
    key = f"{path}__in" if path else "pk__in"
    if anchor is User:
        return Q(**{f"{path}__pk" if path else "pk": user.pk})
    if anchor is Room:
        return Q(**{key: _rooms(user)})
    if anchor is Workspace:
        # A member's seat shows the workspace, not its providers, people and calls.
        roles = list(Seat.Role) if model is Workspace else [Seat.Role.OWNER]
        return Q(**{key: _workspaces(user, *roles)})
    if anchor is Agent:
        agents = _own_agents(user)
        if model is Agent or getattr(model, "moderators_see", False):
            agents = agents | Agent.objects.filter(
                workspace__in=_workspaces(user, Seat.Role.MODERATOR)
            )
        return Q(**{key: agents.values("pk")})
    return _NOTHING


def _workspaces(user: Asker, *roles: Seat.Role) -> QuerySet[Seat, Any]:
    return Seat.objects.filter(user=user.pk, role__in=roles).values("workspace")


def _own_agents(user: Asker) -> QuerySet[Agent]:
    return Agent.objects.filter(owner=user.pk, workspace__in=_workspaces(user, Seat.Role.OWNER))


def _rooms(user: Asker) -> QuerySet[Room, Any]:
    """Where the user is, where an own agent is, public rooms, and what moderators see."""
    here = Participant.objects.filter(
        identity__user=user.pk,
        left_at__isnull=True,
        room__workspace__in=_workspaces(user, *Seat.Role),
    ).values("room")
    own = Room.objects.filter(
        memberships__agent__in=_own_agents(user), memberships__left_at__isnull=True
    ).values("pk")
    rule = Q(pk__in=here) | Q(pk__in=own)
    if not user.is_guest:  # a guest's link leads into one room, not into the workspace
        rule |= Q(visibility=Room.Visibility.PUBLIC, workspace__in=_workspaces(user, *Seat.Role))
    # Direct rooms stay between the person, the agent and its owner.
    moderated = Q(workspace__in=_workspaces(user, Seat.Role.MODERATOR))
    return Room.objects.filter(rule | (moderated & ~Q(kind=Room.Kind.DIRECT))).values("pk")


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
