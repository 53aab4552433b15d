"""Agents: what they are, whether they are awake, and what moderators did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Field, Query

from agentapp.foundation.errors import Invalid, NotFound
from agentapp.identity import policy
from agentapp.identity import services as identity
from agentapp.identity.models import Agent, User, Workspace
from agentapp.identity.policy import Verb
from agentapp.identity.queries import real_workspace_of
from agentapp.identity.templates import TEMPLATES, by_code
from agentapp.moderation import services as moderation
from agentapp.moderation.models import ModerationAction
from dashboard.api.callers import needs, user_of
from dashboard.api.once import commits_by_itself
from dashboard.api.paging import Page, PageIn, page_of
from dashboard.api.shapes import AgentId, Given, Resource, Shape

router = Resource(tags=["agents"])

AgentStatus = Literal["trial", "live", "paused", "archived"]


class ModelGiven(Given):
    """How a model is asked."""

    temperature: float | None = None
    max_tokens: int | None = None


class SpecGiven(Given):
    """What an agent is; what is left out stays as it is."""

    instructions: str | None = None
    greeting: str | None = None
    interests: list[str] | None = None
    languages: list[str] | None = None
    capabilities: list[str] | None = None
    model: ModelGiven | None = None


class AgentGiven(Given):
    """A new agent: from a template, from a spec, or from both."""

    name: str
    template: str = ""
    spec: SpecGiven = SpecGiven()
    workspace_id: int | None = None


class AgentChange(Given):
    """A change; a changed spec becomes a new version."""

    name: str | None = None
    spec: SpecGiven | None = None


class SuspensionGiven(Given):
    """A moderator's reason, and when it ends by itself."""

    reason: str = Field("", max_length=400)
    until: datetime | None = None


class ModelShown(Shape):
    """How a model is asked."""

    temperature: float
    max_tokens: int


class SpecShown(Shape):
    """What an agent is."""

    instructions: str
    greeting: str
    interests: list[str]
    languages: list[str]
    capabilities: list[str]
    model: ModelShown
    template: str


class SuspensionShown(Shape):
    """What a moderator ordered."""

    reason: str
    until: datetime | None
    since: datetime


class AgentShown(Shape):
    """An agent. `spec` is shown to those who manage it."""

    id: int
    name: str
    slug: str
    status: str
    owner_user_id: int
    workspace_id: int
    timezone: str
    version: int
    created_at: datetime
    suspension: SuspensionShown | None = None
    spec: SpecShown | None = None


class AgentFilter(Shape):
    """Which agents."""

    status: AgentStatus | None = None


@router.get("/agents", response=Page[AgentShown], auth=needs("read"))
def list_agents(
    request: HttpRequest, filters: Query[AgentFilter], page: Query[PageIn]
) -> Page[AgentShown]:
    """List the agents you own or moderate, the oldest first."""
    user = user_of(request)
    agents = _seen(user)
    if filters.status is not None:
        agents = agents.filter(status=filters.status)
    found = page_of(agents, page, name="agents", newest_first=False, status=filters.status)
    return Page(items=_show(found.rows, user), next=found.next)


@router.get("/agents/{agentId}", response=AgentShown, auth=needs("read"))
def get_agent(request: HttpRequest, agent_id: AgentId) -> AgentShown:
    """Read one agent."""
    return _shown(user_of(request), agent_id)


@router.post("/agents", response={201: AgentShown}, auth=needs("write"))
def create_agent(request: HttpRequest, body: AgentGiven) -> tuple[int, AgentShown]:
    """Make an agent; it is live at once and in no room yet."""
    user = user_of(request)
    agent = identity.create_agent(
        owner=user,
        workspace=_workspace(user, body.workspace_id),
        name=body.name,
        spec=_merged(_template(body.template), body.spec),
        template=body.template,
    )
    return 201, _shown(user, agent.pk)


@router.patch("/agents/{agentId}", response=AgentShown, auth=needs("write"))
def change_agent(request: HttpRequest, agent_id: AgentId, body: AgentChange) -> AgentShown:
    """Rename an agent or give it a new version; the same text again makes none."""
    user = user_of(request)
    agent = policy.get(Agent, user, pk=agent_id)
    policy.require(user, Verb.MANAGE, agent)
    if body.spec is not None:
        spec = _merged(agent.version.spec, body.spec)
        identity.save_version(agent_id=agent_id, spec=spec, author=user)
    if body.name is not None:
        identity.rename_agent(agent_id=agent_id, name=body.name, by=user)
    return _shown(user, agent_id)


@router.post("/agents/{agentId}/pause", response=AgentShown, auth=needs("write"))
def pause_agent(request: HttpRequest, agent_id: AgentId) -> AgentShown:
    """Let an agent rest."""
    user = user_of(request)
    identity.pause_agent(agent_id=agent_id, by=user)
    return _shown(user, agent_id)


@router.post("/agents/{agentId}/resume", response=AgentShown, auth=needs("write"))
def resume_agent(request: HttpRequest, agent_id: AgentId) -> AgentShown:
    """Wake a paused agent."""
    user = user_of(request)
    identity.resume_agent(agent_id=agent_id, by=user)
    return _shown(user, agent_id)


@router.post("/agents/{agentId}/suspend", response=AgentShown, auth=needs("admin"))
@commits_by_itself
def suspend_agent(request: HttpRequest, agent_id: AgentId, body: SuspensionGiven) -> AgentShown:
    """Stop an agent as a moderator; answers when nothing of it begins to leave any more."""
    user = user_of(request)
    _moderated(user, agent_id)
    moderation.suspend(agent_id=agent_id, by=user, until=_aware(body.until), reason=body.reason)
    return _shown(user, agent_id)


@router.post("/agents/{agentId}/lift", response=AgentShown, auth=needs("admin"))
def lift_agent(request: HttpRequest, agent_id: AgentId) -> AgentShown:
    """End a suspension."""
    user = user_of(request)
    _moderated(user, agent_id)
    moderation.lift(agent_id=agent_id, by=user)
    return _shown(user, agent_id)


def _seen(user: User) -> QuerySet[Agent]:
    agents = policy.visible(Agent, user).exclude(status=Agent.Status.DELETED)
    return agents.select_related("version")


def _moderated(user: User, agent_id: int) -> None:
    policy.require(user, Verb.MODERATE, policy.get(Agent, user, pk=agent_id))


def _shown(user: User, agent_id: int) -> AgentShown:
    agent = _seen(user).filter(pk=agent_id).first()
    if agent is None:
        raise NotFound
    return _show([agent], user)[0]


def _show(agents: Sequence[Agent], user: User) -> list[AgentShown]:
    """Show agents; one query for all their suspensions."""
    held = ModerationAction.objects.filter(
        agent__in=[agent.pk for agent in agents], state=ModerationAction.State.ACTIVE
    )
    suspensions = {action.agent_id: action for action in held}
    return [_one(agent, suspensions.get(agent.pk), user) for agent in agents]


def _one(agent: Agent, action: ModerationAction | None, user: User) -> AgentShown:
    manages = user.is_superuser or agent.owner_id == user.pk
    return AgentShown(
        id=agent.pk,
        name=agent.name,
        slug=agent.slug,
        status=agent.status,
        owner_user_id=agent.owner_id,
        workspace_id=agent.workspace_id,
        timezone=agent.timezone,
        version=agent.version.n,
        created_at=agent.created_at,
        suspension=_suspension(action) if action else None,
        spec=SpecShown.model_validate(agent.version.spec) if manages else None,
    )


def _suspension(action: ModerationAction) -> SuspensionShown:
    return SuspensionShown(reason=action.reason, until=action.until, since=action.created_at)


def _workspace(user: User, workspace_id: int | None) -> Workspace:
    if workspace_id is not None:
        return policy.get(Workspace, user, pk=workspace_id)
    own = real_workspace_of(user)
    if own is None:
        raise Invalid("Name the workspace: you own none.")
    return own


def _template(code: str) -> dict[str, object]:
    if not code:
        return {}
    found = by_code(code)
    if found is None:
        known = ", ".join(template.code for template in TEMPLATES)
        raise Invalid(f"There is no such template; choose one of {known}.")
    return found.spec


def _merged(spec: dict[str, object], given: SpecGiven) -> dict[str, object]:
    """Lay what was given over what is there, the model's settings one by one."""
    changes = given.model_dump(exclude_none=True)
    model = spec.get("model")
    if "model" in changes and isinstance(model, dict):
        changes["model"] = {**model, **changes["model"]}
    return {**spec, **changes}


def _aware(moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise Invalid("Say the time zone of `until`, such as 2030-01-31T18:00:00Z.")
    return moment
