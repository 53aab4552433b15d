"""Agents."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Status

from agentapp.foundation.errors import Invalid
from agentapp.identity import policy, sentences, templates
from agentapp.identity.models import Agent, User, Workspace
from agentapp.identity.policy import Verb
from agentapp.identity.services import agents as services
from agentapp.moderation import services as moderation
from dashboard.api.callers import Scope, caller
from dashboard.api.paging import Limit, page
from dashboard.api.shapes import AgentDetail, AgentIn, AgentOut, AgentPage, AgentPatch, SuspendIn

router = Router(tags=["agents"], by_alias=True)


def agent_of(user: User, agent_id: int, verb: Verb = Verb.VIEW) -> Agent:
    """Return an agent this user may see and do `verb` with."""
    agent = policy.get(Agent, user, pk=agent_id)
    policy.require(user, verb, agent)
    return Agent.objects.select_related("version").get(pk=agent.pk)


@router.get("/agents", response=AgentPage)
def list_agents(request: HttpRequest, cursor: str = "", limit: Limit = 50) -> dict[str, object]:
    """List the agents you may see, the newest first."""
    rows = policy.visible(Agent, caller(request, Scope.READ)).select_related("version")
    return page(rows, cursor=cursor, limit=limit)


@router.post("/agents", response={201: AgentDetail})
def create_agent(request: HttpRequest, body: AgentIn) -> Status[Agent]:
    """Make an agent from a template, one sentence or a full spec."""
    user = caller(request, Scope.WRITE)
    workspace = policy.get(Workspace, user, pk=body.workspace_id)
    spec: dict[str, object] | None = body.spec
    if spec is None and body.template:
        template = templates.by_code(body.template)
        if template is None:
            raise Invalid(f"There is no template {body.template!r}.")
        spec = dict(template.spec)
    if spec is None and body.sentence:
        spec = dict(sentences.from_sentence(body.sentence))
    if spec is None:
        raise Invalid("Give a template, a sentence or a spec.")
    agent = services.create_agent(
        owner=user, workspace=workspace, name=body.name, spec=spec, template=body.template
    )
    return Status(201, agent_of(user, agent.pk))


@router.get("/agents/{agentId}", response=AgentDetail)
def get_agent(request: HttpRequest, agentId: int) -> Agent:  # noqa: N803  (the wire's name)
    """Show an agent with its blueprint."""
    return agent_of(caller(request, Scope.READ), agentId)


@router.patch("/agents/{agentId}", response=AgentDetail)
def change_agent(request: HttpRequest, agentId: int, body: AgentPatch) -> Agent:  # noqa: N803
    """Rename an agent, or give it a new version of its blueprint."""
    user = caller(request, Scope.WRITE)
    agent_of(user, agentId, Verb.MANAGE)
    with transaction.atomic():  # all of it or nothing
        if body.spec is not None:
            services.save_version(agent_id=agentId, spec=body.spec, author=user)
        if body.name is not None:
            services.rename_agent(agent_id=agentId, name=body.name, by=user)
    return agent_of(user, agentId)


@router.post("/agents/{agentId}/pause", response=AgentOut)
def pause(request: HttpRequest, agentId: int) -> Agent:  # noqa: N803
    """Pause an agent; what it had approved returns to its owner."""
    user = caller(request, Scope.WRITE)
    agent_of(user, agentId, Verb.MANAGE)
    services.pause_agent(agent_id=agentId, by=user)
    return agent_of(user, agentId)


@router.post("/agents/{agentId}/resume", response=AgentOut)
def resume(request: HttpRequest, agentId: int) -> Agent:  # noqa: N803
    """End a pause."""
    user = caller(request, Scope.WRITE)
    agent_of(user, agentId, Verb.MANAGE)
    services.resume_agent(agent_id=agentId, by=user)
    return agent_of(user, agentId)


@router.post("/agents/{agentId}/suspend", response=AgentOut)
def suspend(request: HttpRequest, agentId: int, body: SuspendIn) -> Agent:  # noqa: N803
    """Suspend an agent; moderators only. Nothing of it begins to leave after the answer."""
    user = caller(request, Scope.WRITE)
    agent_of(user, agentId, Verb.MODERATE)
    moderation.suspend(agent_id=agentId, by=user, until=body.until, reason=body.reason)
    return agent_of(user, agentId)


@router.post("/agents/{agentId}/lift", response=AgentOut)
def lift(request: HttpRequest, agentId: int) -> Agent:  # noqa: N803
    """End a suspension; moderators only."""
    user = caller(request, Scope.WRITE)
    agent_of(user, agentId, Verb.MODERATE)
    moderation.lift(agent_id=agentId, by=user)
    return agent_of(user, agentId)
