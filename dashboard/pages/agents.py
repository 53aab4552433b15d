"""Agents: make, change, try out, pause, suspend."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentapp.foundation import clock
from agentapp.foundation.errors import AgentError
from agentapp.identity import policy
from agentapp.identity import services as identity
from agentapp.identity.models import Agent, Room
from agentapp.identity.policy import Verb
from agentapp.identity.queries import real_workspace_of
from agentapp.identity.sentences import from_sentence
from agentapp.identity.templates import TEMPLATES
from agentapp.moderation import services as moderation
from agentapp.moderation.queries import active_suspension
from agentapp.presence.queries import rooms_of
from agentapp.presence.services import add_agent
from dashboard.forms import EditAgentForm, NewAgentForm, SuspendForm
from dashboard.pages.frame import done, member, page, show
from dashboard.pages.rooms import talk
from dashboard.presenters.agents import (
    agents_on_list,
    show_agents,
    show_noticed,
    show_versions,
)
from dashboard.presenters.personality import as_fields, as_spec, offered_templates
from dashboard.presenters.rooms import presence_in, show_room


@page
@require_GET
def agents(request: HttpRequest) -> HttpResponse:
    """List the agents."""
    return show(request, "dashboard/agents.html", {"agents": _tiles(request)}, section="agents")


@page
@require_GET
def agents_list(request: HttpRequest) -> HttpResponse:
    """Show the tiles alone, for a live refresh."""
    return show(request, "parts/agent_tiles.html", {"agents": _tiles(request)})


@page
@require_http_methods(["GET", "POST"])
def agent_new(request: HttpRequest) -> HttpResponse:
    """Make an agent from a template or from one sentence."""
    user = member(request)
    workspace = real_workspace_of(user)
    if workspace is None:
        raise Http404
    form = NewAgentForm(request.POST or None, initial={"template": TEMPLATES[0].code})
    if request.method == "POST" and form.is_valid():
        code = form.cleaned_data["template"]
        template = next((one for one in TEMPLATES if one.code == code), None)
        try:
            made = identity.create_agent(
                owner=user,
                workspace=workspace,
                name=form.cleaned_data["name"],
                spec=template.spec if template else from_sentence(form.cleaned_data["sentence"]),
                template=code,
            )
        except AgentError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"{made.name} is here. Say something to try it out.")
            return redirect("agent", made.pk)
    context = {
        "form": form,
        "templates": offered_templates(),
        "chosen": form["template"].value() or "",
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return show(request, "dashboard/agent_new.html", context, section="agents", status=status)


@page
@require_GET
def agent(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Show one agent."""
    user = member(request)
    row = _seen(request, agent_id)
    (shown,) = show_agents([row], user=user, now=clock.now())
    can_manage = policy.can(user, Verb.MANAGE, row)
    can_moderate = policy.can(user, Verb.MODERATE, row)
    places = [seat.room for seat in rooms_of(agent_id=row.pk).select_related("room__workspace")]
    places = [place for place in places if not place.is_tryout] if can_manage else []
    here = presence_in(places)
    tryout = _tryout(request, row)
    context = {
        **(talk(request, tryout) if tryout else {"room": None}),
        "agent": shown,
        "can_manage": can_manage,
        "can_moderate": can_moderate,
        "instructions": row.version.spec.get("instructions", "") if can_manage else "",
        "noticed": show_noticed(user, row),
        "quiet_hint": "Say something to try it out.",
        "rooms": [show_room(place, here[place.pk]) for place in places],
        "say_hint": f"Say something to {row.name}",
        "suspend_form": SuspendForm() if can_moderate else None,
        "suspension": active_suspension(row.pk),
        "versions": show_versions(row) if can_manage else [],
    }
    return show(request, "dashboard/agent.html", context, section="agents")


@page
@require_GET
def agent_hero(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Show the head of an agent's page, for a live refresh."""
    row = _seen(request, agent_id)
    user = member(request)
    (shown,) = show_agents([row], user=user, now=clock.now())
    context = {"agent": shown, "can_manage": policy.can(user, Verb.MANAGE, row)}
    return show(request, "parts/agent_hero.html", context)


@page
@require_GET
def agent_noticed(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Show what an agent read last, for a live refresh."""
    row = _seen(request, agent_id)
    noticed = show_noticed(member(request), row)
    return show(request, "parts/agent_noticed.html", {"noticed": noticed})


@page
@require_http_methods(["GET", "POST"])
def agent_edit(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Change an agent; every change of what it is makes a version."""
    user = member(request)
    row = _managed(request, agent_id)
    form = EditAgentForm(request.POST or None, initial=as_fields(row))
    if request.method == "POST" and form.is_valid():
        try:
            identity.rename_agent(agent_id=row.pk, name=form.cleaned_data["name"], by=user)
            identity.save_version(
                agent_id=row.pk, spec=as_spec(row, form.cleaned_data), author=user
            )
        except AgentError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved.")
            return redirect("agent", row.pk)
    versions = show_versions(row)
    context = {"agent": row, "form": form, "next_version": versions[0].n + 1 if versions else 1}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return show(request, "dashboard/agent_edit.html", context, section="agents", status=status)


@page
@require_POST
def agent_pin(request: HttpRequest, agent_id: int, n: int) -> HttpResponse:
    """Let an agent be an earlier version again."""
    row = _managed(request, agent_id)
    identity.pin_version(agent_id=row.pk, n=n, author=member(request))
    return done(request, to="agents", said=f"Version {n} is in use.")


@page
@require_POST
def agent_pause(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Let an agent rest."""
    row = _managed(request, agent_id)
    identity.pause_agent(agent_id=row.pk, by=member(request))
    return done(request, to="agents", said=f"{row.name} rests until you resume it.")


@page
@require_POST
def agent_resume(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Wake an agent."""
    row = _managed(request, agent_id)
    identity.resume_agent(agent_id=row.pk, by=member(request))
    return done(request, to="agents", said=f"{row.name} is awake.")


@page
@require_POST
def agent_talk(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Open the private try-out, in which nothing is remembered."""
    row = _managed(request, agent_id)
    user = member(request)
    if _tryout(request, row) is None:
        room = identity.create_room(
            workspace=row.workspace,
            name=f"Trying out {row.name}",
            visibility=Room.Visibility.PRIVATE,
            by=user,
            kind=Room.Kind.DIRECT,
            is_tryout=True,
        )
        add_agent(room_id=room.pk, agent_id=row.pk, by=user)
    return redirect(reverse("agent", args=[row.pk]) + "#talk")


@page
@require_POST
def agent_suspend(request: HttpRequest, agent_id: int) -> HttpResponse:
    """Stop an agent as a moderator; returns when nothing of it is on its way any more."""
    row = _moderated(request, agent_id)
    form = SuspendForm(request.POST)
    if not form.is_valid():
        raise Http404
    hours = form.cleaned_data["hours"]
    until = clock.now() + timedelta(hours=int(hours)) if hours else None
    moderation.suspend(
        agent_id=row.pk, by=member(request), until=until, reason=form.cleaned_data["reason"]
    )
    return done(request, to="agents", said=f"{row.name} is suspended. Nothing of it goes out.")


@page
@require_POST
def agent_lift(request: HttpRequest, agent_id: int) -> HttpResponse:
    """End a suspension."""
    row = _moderated(request, agent_id)
    moderation.lift(agent_id=row.pk, by=member(request))
    return done(request, to="agents", said=f"{row.name} is back in its rooms.")


def _tiles(request: HttpRequest) -> object:
    user = member(request)
    return show_agents(list(agents_on_list(user)), user=user, now=clock.now())


def _seen(request: HttpRequest, agent_id: int) -> Agent:
    rows = policy.visible(Agent, member(request)).select_related(
        "workspace", "owner", "version__blueprint"
    )
    row = rows.filter(pk=agent_id).exclude(status=Agent.Status.DELETED).first()
    if row is None:
        raise Http404
    return row


def _managed(request: HttpRequest, agent_id: int) -> Agent:
    row = _seen(request, agent_id)
    policy.require(member(request), Verb.MANAGE, row)
    return row


def _moderated(request: HttpRequest, agent_id: int) -> Agent:
    row = _seen(request, agent_id)
    policy.require(member(request), Verb.MODERATE, row)
    return row


def _tryout(request: HttpRequest, row: Agent) -> Room | None:
    """Return the room in which this user tries this agent out, if it was opened."""
    return (
        Room.objects.filter(
            is_tryout=True,
            gone_at__isnull=True,
            memberships__agent=row,
            memberships__left_at__isnull=True,
            participants__identity__user=member(request),
            participants__left_at__isnull=True,
        )
        .select_related("workspace")
        .first()
    )
