"""What of the tables somebody may read. Denies by default; every model says whose it is.

`scope_path` is the path of foreign keys from a model to the Agent, Workspace, Room or User that
decides about it; "" when the model itself is one of these, and "host" for what only the admin sees.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import RawSQL

from agentapp.foundation.errors import AgentError, NotFound
from agentapp.foundation.prepared import array
from agentapp.identity.models import Agent, Participant, Room, Seat, User, Workspace
from agentapp.identity.sight import rooms_of_each

HOST = "host"
Viewer = User | AnonymousUser
M = TypeVar("M", bound=Model)
_NOTHING = Q(pk__in=[])


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
