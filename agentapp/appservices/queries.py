"""Reads about application services and their users."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import QuerySet

from agentapp.appservices.models import ApplicationService, Ghost
from agentapp.identity import policy
from agentapp.identity.models import Account, User


@dataclass(frozen=True, slots=True)
class GhostLogin:
    """A user of a service's namespace: whose login it is."""

    user_id: str
    account_id: uuid.UUID
    agent_id: int
    name: str


def services_of(user: User) -> QuerySet[ApplicationService]:
    """Return the services of the workspaces that a user owns, by the homeservers' names."""
    rows = policy.visible(ApplicationService, user).filter(workspace__seats__user=user)
    return rows.distinct().order_by("domain", "pk")


def ghosts_named(*, service_id: uuid.UUID, user_ids: Collection[str]) -> list[GhostLogin]:
    """Return which of these users are logins of agents; one query."""
    rows = _ghosts(service_id).filter(account__external_id__in=list(user_ids))
    return [GhostLogin(*row) for row in rows.values_list(*_FIELDS)]


def ghosts_of(*, service_id: uuid.UUID) -> list[GhostLogin]:
    """Return all users of a service's namespace; one query."""
    return [GhostLogin(*row) for row in _ghosts(service_id).values_list(*_FIELDS)]


_FIELDS = ("account__external_id", "account_id", "account__agent_id", "account__agent__name")


def _ghosts(service_id: uuid.UUID) -> QuerySet[Ghost]:
    return Ghost.objects.filter(service_id=service_id).exclude(account__state=Account.State.ENDED)
