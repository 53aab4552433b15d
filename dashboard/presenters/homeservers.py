"""Application services: whether homeserver and host reach each other, and who lives there."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from agentapp.appservices.models import ApplicationService, Ghost
from agentapp.appservices.queries import services_of
from agentapp.identity.models import Account, User
from dashboard.presenters.faces import Face, agent_face
from dashboard.presenters.stamps import stamp
from dashboard.presenters.states import StateShown

_Health = ApplicationService.Health
_STATES = {
    _Health.STARTING: StateShown("Waits for its file", "waits"),
    _Health.OK: StateShown("Connected", "awake"),
    _Health.FAILING: StateShown("Trying again", "waits"),
}


@dataclass(frozen=True, slots=True)
class GhostShown:
    """An agent that lives on a homeserver."""

    agent: Face
    url: str
    user_id: str


@dataclass(frozen=True, slots=True)
class HomeserverShown:
    """One homeserver that hands over to this host."""

    id: uuid.UUID
    workspace_id: int
    domain: str
    address: str
    prefix: str
    state: StateShown
    is_known: bool
    is_ok: bool
    since: datetime | None
    heard_at: datetime | None
    error: str
    ghosts: list[GhostShown]
    stamp: str


def show_homeservers(user: User) -> list[HomeserverShown]:
    """Return the application services of a user's workspaces; two queries for any number."""
    services = list(services_of(user))
    ghosts: dict[uuid.UUID, list[GhostShown]] = defaultdict(list)
    rows = Ghost.objects.filter(service__in=services).exclude(account__state=Account.State.ENDED)
    for row in rows.select_related("account__agent").order_by("account__agent__name", "pk"):
        agent = row.account.agent
        url = reverse("agent", args=[agent.pk])
        ghosts[row.service_id].append(GhostShown(agent_face(agent), url, row.account.external_id))
    return [_show(one, ghosts[one.pk]) for one in services]


def _show(row: ApplicationService, ghosts: list[GhostShown]) -> HomeserverShown:
    state = _STATES[_Health(row.health)]
    heard_at = row.heard_at
    minute = heard_at.replace(second=0, microsecond=0) if heard_at else None
    return HomeserverShown(
        id=row.pk,
        workspace_id=row.workspace_id,
        domain=row.domain,
        address=row.address,
        prefix=row.prefix,
        state=state,
        is_known=row.health != _Health.STARTING,
        is_ok=row.health == _Health.OK,
        since=row.health_since,
        heard_at=heard_at,
        error=row.last_error,
        ghosts=ghosts,
        stamp=stamp(state, row.health_since, minute, row.last_error, ghosts),
    )
