"""Homeservers that somebody here runs: their registration files, and the agents that live there."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET, require_POST

from agentapp.appservices import makers, services
from agentapp.appservices.models import ApplicationService
from agentapp.appservices.queries import services_of
from agentapp.foundation.errors import AgentError
from agentapp.identity.models import Account, Workspace
from agentapp.identity.platforms import WrongAnswer
from agentapp.identity.queries import agents_of
from dashboard.homeserver_forms import GhostForm, HomeserverForm
from dashboard.pages.frame import Frame, done, member, page, show
from dashboard.presenters.homeservers import show_homeservers


@page
@require_GET
def homeservers(request: HttpRequest) -> HttpResponse:
    """Show the homeservers, what is left to do at each, and a form for one more."""
    return _homeservers(request)


@page
@require_GET
def homeservers_list(request: HttpRequest) -> HttpResponse:
    """Show how each fares alone, for a live refresh."""
    _workspaces(request)
    shown = show_homeservers(member(request))
    return show(request, "parts/homeservers.html", {"homeservers": shown})


@page
@require_POST
def homeserver_add(request: HttpRequest) -> HttpResponse:
    """Make an application service for a homeserver, once something there says that it is one."""
    form = HomeserverForm(request.POST, workspaces=_workspaces(request))
    if form.is_valid():
        try:
            made = services.create(
                workspace_id=form.cleaned_data["workspace"],
                platform=_platform(),
                domain=form.cleaned_data["domain"],
                address=form.cleaned_data["address"],
                prefix=form.cleaned_data["names"],
                by=member(request),
            )
        except WrongAnswer as error:
            form.object_to(error)
        except AgentError as error:
            form.add_error(None, error.message)
        else:
            said = f"{made.domain} answers. Install its file there now."
            return done(request, to="homeservers", said=said)
    return _homeservers(request, status=HTTPStatus.UNPROCESSABLE_ENTITY, form=form)


@page
@require_POST
def homeserver_file(request: HttpRequest, service_id: uuid.UUID) -> HttpResponse:
    """Hand out the registration file. It holds the tokens of both sides, so no cache keeps it."""
    text = services.registration(service_id=service_id, by=member(request))
    answer = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="greenroom.yaml"'
    answer["Cache-Control"] = "no-store"
    return answer


@page
@require_POST
def homeserver_ghost(request: HttpRequest, service_id: uuid.UUID) -> HttpResponse:
    """Let an agent live on a homeserver."""
    service = services.managed(service_id, member(request))
    form = _ghost_form(request, service, bound=True)
    if form.is_valid():
        try:
            account = services.add_ghost(
                service_id=service.pk,
                agent_id=form.cleaned_data["agent"],
                localpart=form.cleaned_data["localpart"],
                by=member(request),
            )
        except WrongAnswer as error:
            form.object_to(error)
        except AgentError as error:
            form.add_error(None, error.message)
        else:
            said = f"{account.agent.name} is {account.external_id} now. Invite it into a room."
            return done(request, to="homeservers", said=said)
    return _homeservers(request, status=HTTPStatus.UNPROCESSABLE_ENTITY, ghost_form=form)


@page
@require_POST
def homeserver_remove(request: HttpRequest, service_id: uuid.UUID) -> HttpResponse:
    """Take a homeserver away on which no agent lives any more."""
    removed = services.remove(service_id=service_id, by=member(request))
    said = f"{removed.domain} is removed here. Take its file out of the homeserver's settings too."
    return done(request, to="homeservers", said=said)


def _homeservers(
    request: HttpRequest,
    *,
    status: int = HTTPStatus.OK,
    form: HomeserverForm | None = None,
    ghost_form: GhostForm | None = None,
) -> HttpResponse:
    workspaces = _workspaces(request)
    user = member(request)
    shown = show_homeservers(user)
    rows = {one.pk: one for one in services_of(user)}
    forms = [_ghost_form(request, rows[one.id]) for one in shown if one.is_known]
    if ghost_form is not None:
        forms = [ghost_form if one.prefix == ghost_form.prefix else one for one in forms]
    context = {
        "homeservers": shown,
        "form": form or HomeserverForm(workspaces=workspaces),
        "ghost_forms": forms,
    }
    return show(request, "dashboard/homeservers.html", context, section="platforms", status=status)


def _ghost_form(
    request: HttpRequest, service: ApplicationService, *, bound: bool = False
) -> GhostForm:
    here = agents_of(member(request)).filter(workspace_id=service.workspace_id)
    elsewhere = Account.objects.filter(platform=service.platform, agent__in=here)
    taken = elsewhere.exclude(state=Account.State.ENDED).values("agent_id")
    data = request.POST if bound else None
    return GhostForm(data, agents=here.exclude(pk__in=taken), service=service)


def _workspaces(request: HttpRequest) -> list[Workspace]:
    """Return the workspaces that may have one."""
    workspaces = [one for one in Frame(member(request)).workspaces if not one.is_demo]
    if not workspaces:
        raise Http404
    return workspaces


def _platform() -> str:
    for code in makers.offered():
        return code
    raise Http404
