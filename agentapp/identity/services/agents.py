"""Agents and the versions of what they are."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify

from agentapp.events import services as events
from agentapp.foundation.errors import Conflict, NotFound, Refused
from agentapp.identity import policy, rules
from agentapp.identity.models import (
    Account,
    Agent,
    Blueprint,
    BlueprintVersion,
    Identity,
    Seat,
    User,
    Workspace,
)
from agentapp.identity.policy import Verb
from agentapp.identity.services.logins import begin_ending
from agentapp.identity.services.people import LOCAL, agent_handle


@transaction.atomic
def create_agent(
    *,
    owner: User,
    workspace: Workspace,
    name: str,
    spec: Mapping[str, object],
    template: str = "",
) -> Agent:
    """Make a live agent from a blueprint's first version, with its login for web rooms.

    Writes: Blueprint, BlueprintVersion 1, Agent, Account, Identity. Announces: `agent.created`.

    Raises:
        Invalid: Name or spec cannot be used. Refused: No owner's seat there. Nothing is written.
    """
    shown = rules.checked_name(name)
    checked = rules.checked_spec({**spec, "template": spec.get("template") or template})
    if not owner.is_superuser and not policy.has_seat(owner, workspace.pk, Seat.Role.OWNER):
        raise Refused("Only an owner of this workspace can make agents in it.")
    # Two agents of one name at once: the second waits here and sees that the slug is taken.
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    slug = _free_slug(workspace, shown)
    blueprint = Blueprint.objects.create(
        workspace=workspace, code=slug, name=shown, template=str(checked["template"])
    )
    agent = Agent.objects.create(
        workspace=workspace,
        owner=owner,
        version=_add_version(blueprint, checked, author=owner),
        name=shown,
        slug=slug,
        status=Agent.Status.LIVE,
        timezone=owner.timezone,
    )
    _give_local_login(agent)
    _record("agent.created", agent, owner, {"name": shown})
    return agent


@transaction.atomic
def save_version(*, agent_id: int, spec: Mapping[str, object], author: User) -> BlueprintVersion:
    """Give an agent a new version of its blueprint; the same text again makes none.

    Writes: BlueprintVersion, Agent (pins it). Announces: `agent.versioned`.

    Raises:
        NotFound, Refused: The author may not manage the agent. Invalid: The spec cannot be used.
    """
    agent = _locked(agent_id, author)
    checked = rules.checked_spec(spec)
    if agent.version.hash == rules.spec_hash(checked):
        return agent.version
    version = _add_version(agent.version.blueprint, checked, author=author)
    _pin(agent, version, author)
    return version


@transaction.atomic
def pin_version(*, agent_id: int, n: int, author: User) -> Agent:
    """Let an agent be an earlier (or later) version of its blueprint again."""
    agent = _locked(agent_id, author)
    version = BlueprintVersion.objects.filter(blueprint=agent.version.blueprint, n=n).first()
    if version is None:
        raise NotFound(f"{agent.name} has no version {n}.")
    if version.pk != agent.version_id:
        _pin(agent, version, author)
    return agent


@transaction.atomic
def rename_agent(*, agent_id: int, name: str, by: User) -> Agent:
    """Change the name under which an agent appears; its handle and history stay."""
    agent = _locked(agent_id, by)
    agent.name = rules.checked_name(name)
    agent.save(update_fields=["name"])
    Identity.objects.filter(agent=agent).update(name=agent.name)
    _record("agent.renamed", agent, by, {"name": agent.name})
    return agent


def pause_agent(*, agent_id: int, by: User) -> Agent:
    """Let an agent rest: it neither decides nor publishes until it is resumed."""
    return _move(agent_id, by, Agent.Status.PAUSED, "agent.paused")


def resume_agent(*, agent_id: int, by: User) -> Agent:
    """Wake a paused agent."""
    return _move(agent_id, by, Agent.Status.LIVE, "agent.resumed")


@transaction.atomic
def archive_agent(*, agent_id: int, by: User) -> Agent:
    """Retire an agent for good; what it said stays. Its logins leave their platforms."""
    agent = _move(agent_id, by, Agent.Status.ARCHIVED, "agent.archived")
    logins = Account.objects.select_for_update().filter(agent=agent, state=Account.State.ON)
    for account in logins.exclude(platform=LOCAL):
        begin_ending(account, by)
    return agent


_BEFORE = {
    Agent.Status.PAUSED: [Agent.Status.TRIAL, Agent.Status.LIVE],
    Agent.Status.LIVE: [Agent.Status.TRIAL, Agent.Status.PAUSED],
    Agent.Status.ARCHIVED: [Agent.Status.TRIAL, Agent.Status.LIVE, Agent.Status.PAUSED],
}


@transaction.atomic
def _move(agent_id: int, by: User, status: Agent.Status, event: str) -> Agent:
    """Change an agent's status by a conditional update; where it already is, nothing happens."""
    policy.require(by, Verb.MANAGE, _existing(agent_id))
    moved = Agent.objects.filter(pk=agent_id, status__in=_BEFORE[status]).update(status=status)
    agent = _existing(agent_id)
    if moved:
        _record(event, agent, by, {})
    elif agent.status != status:
        raise Conflict(f"{agent.name} is {agent.status}.")
    return agent


def _existing(agent_id: int) -> Agent:
    agent = Agent.objects.filter(pk=agent_id).first()
    if agent is None:
        raise NotFound
    return agent


def _locked(agent_id: int, by: User) -> Agent:
    """Return the agent with its row locked, so that two savers get two version numbers."""
    # Locked alone, then read: a join would be checked again against the version it had before.
    Agent.objects.select_for_update(no_key=True).filter(pk=agent_id).first()
    agent = Agent.objects.select_related("version__blueprint").filter(pk=agent_id).first()
    if agent is None:
        raise NotFound
    policy.require(by, Verb.MANAGE, agent)
    if agent.status in {Agent.Status.ARCHIVED, Agent.Status.DELETED}:
        raise Conflict(f"{agent.name} is archived.")
    return agent


def _add_version(
    blueprint: Blueprint, spec: dict[str, object], *, author: User
) -> BlueprintVersion:
    last = BlueprintVersion.objects.filter(blueprint=blueprint).aggregate(n=Max("n"))["n"]
    return BlueprintVersion.objects.create(
        blueprint=blueprint,
        n=(last or 0) + 1,
        spec=spec,
        hash=rules.spec_hash(spec),
        author=author,
    )


def _pin(agent: Agent, version: BlueprintVersion, author: User) -> None:
    agent.version = version
    agent.save(update_fields=["version"])
    _record("agent.versioned", agent, author, {"n": version.n})


def _give_local_login(agent: Agent) -> None:
    handle = agent_handle(agent)
    Account.objects.create(
        workspace=agent.workspace,
        agent=agent,
        platform=LOCAL,
        external_id=handle,
        health=Account.Health.OK,
    )
    Identity.objects.create(
        workspace=agent.workspace,
        platform=LOCAL,
        external_id=handle,
        kind=Identity.Kind.AGENT,
        name=agent.name,
        agent=agent,
    )


def _free_slug(workspace: Workspace, name: str) -> str:
    """Return an unused slug; a name without a single Latin letter becomes `agent-…`."""
    stem = slugify(name)[:48] or "agent"
    taken = Agent.objects.filter(workspace=workspace, slug=stem).exists() or (
        Blueprint.objects.filter(workspace=workspace, code=stem).exists()
    )
    return f"{stem}-{secrets.token_hex(3)}" if taken or stem == "agent" else stem


def _record(type_: str, agent: Agent, by: User, payload: dict[str, object]) -> None:
    events.record(
        type=type_,
        subject_kind="agent",
        subject_id=agent.pk,
        workspace_id=agent.workspace_id,
        agent_id=agent.pk,
        actor_id=by.pk,
        payload=payload,
    )
