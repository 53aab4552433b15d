"""Settings: models, oneself, API tokens and how to use them."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from agentapp.foundation.errors import AgentError
from agentapp.identity import policy
from agentapp.identity import services as identity
from agentapp.identity.models import ApiToken, Workspace
from agentapp.identity.policy import Verb
from agentapp.identity.queries import real_workspace_of
from agentapp.llm import local_servers
from agentapp.llm import services as llm
from agentapp.llm.models import Provider
from agentapp.memory.services.choosing import adopt_default
from dashboard.api.callers import CALLS_A_MINUTE
from dashboard.api.idempotency import MAX_KEY
from dashboard.api.paging import LIMIT
from dashboard.forms import ProfileForm, ProviderForm, TokenForm
from dashboard.pages.frame import done, is_fragment, member, page, show
from dashboard.presenters.endpoints import show_subjects


@page
@require_GET
def settings(request: HttpRequest) -> HttpResponse:
    """Show the settings."""
    return _settings(request)


@page
@require_POST
def provider_add(request: HttpRequest) -> HttpResponse:
    """Prove a key with one real question, then keep it."""
    workspace = _workspace(request)
    form = ProviderForm(request.POST)
    proof = None
    if form.is_valid():
        try:
            proof = llm.set_provider(workspace=workspace, by=member(request), **form.cleaned_data)
        except AgentError as error:
            form.add_error(None, error.message)
    if proof is not None and (problem := adopt_default(workspace=workspace, by=member(request))):
        messages.warning(request, problem)
    if proof is not None and is_fragment(request):
        context = {
            "proof": proof,
            "provider_form": ProviderForm(),
            "providers": _providers(workspace),
        }
        return show(request, "parts/provider_form.html", context)
    if is_fragment(request):
        return show(
            request,
            "parts/provider_form.html",
            {"provider_form": form, "providers": _providers(workspace)},
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    if proof is not None:
        return _settings(request, proof=proof)
    return _settings(request, provider_form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@page
@require_POST
def provider_remove(request: HttpRequest) -> HttpResponse:
    """Forget a model server and its key."""
    provider_id = _provider_id(request) if "provider" in request.POST else None
    llm.remove_provider(workspace=_workspace(request), provider_id=provider_id, by=member(request))
    return done(request, to="settings", said="It is removed, and its key with it.")


@page
@require_POST
def provider_earlier(request: HttpRequest) -> HttpResponse:
    """Let a model server be asked before the one before it."""
    llm.ask_earlier(
        workspace=_workspace(request), provider_id=_provider_id(request), by=member(request)
    )
    return done(request, to="settings", said="The order is kept.")


@page
@require_GET
def provider_nearby(request: HttpRequest) -> HttpResponse:
    """Show what runs on the host's own machine, for owners who have nothing connected yet."""
    workspace = _workspace(request)
    found = [] if _providers(workspace).exists() else local_servers.found_here()
    return show(request, "parts/providers_nearby.html", {"found": found})


def _provider_id(request: HttpRequest) -> uuid.UUID:
    try:
        return uuid.UUID(request.POST.get("provider", ""))
    except ValueError as error:
        raise Http404 from error


@page
@require_POST
def profile(request: HttpRequest) -> HttpResponse:
    """Keep one's name and time zone."""
    form = ProfileForm(request.POST)
    if not form.is_valid():
        return _settings(request, profile_form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    user = member(request)
    identity.set_profile(user=user, display_name=form.cleaned_data["display_name"])
    identity.set_timezone(user=user, timezone=form.cleaned_data["timezone"])
    return done(request, to="settings", said="Saved.")


@page
@require_POST
def token_new(request: HttpRequest) -> HttpResponse:
    """Make a token and show it this once."""
    _workspace(request)
    form = TokenForm(request.POST)
    text = ""
    if form.is_valid():
        try:
            _, text = identity.make_api_token(user=member(request), **form.cleaned_data)
        except AgentError as error:
            form.add_error(None, error.message)
    status = HTTPStatus.OK if text else HTTPStatus.UNPROCESSABLE_ENTITY
    context = {"fresh_token": text, "token_form": TokenForm() if text else form}
    if is_fragment(request):
        return show(request, "parts/tokens.html", {**_tokens(request), **context}, status=status)
    return _settings(request, status=status, **context)


@page
@require_POST
def token_end(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """End a token."""
    policy.get(ApiToken, member(request), pk=token_id)
    identity.revoke_api_token(token_id=token_id, by=member(request))
    if is_fragment(request):
        return show(request, "parts/tokens.html", _tokens(request))
    return redirect(reverse("settings") + "#tokens")


@page
@require_GET
def api_guide(request: HttpRequest) -> HttpResponse:
    """Explain the API to whoever may have a token for it."""
    address = request.build_absolute_uri(reverse("api:api-root")).rstrip("/")
    context = {
        "workspace": _workspace(request),
        "address": address,
        "calls_a_minute": CALLS_A_MINUTE,
        "longest_key": MAX_KEY,
        "longest_page": LIMIT,
        "subjects": show_subjects(),
    }
    return show(request, "dashboard/api_guide.html", context, section="settings")


def _workspace(request: HttpRequest) -> Workspace:
    user = member(request)
    workspace = real_workspace_of(user)
    if workspace is None:
        raise Http404
    policy.require(user, Verb.MANAGE, workspace)
    return workspace


def _providers(workspace: Workspace) -> QuerySet[Provider]:
    rows = Provider.objects.filter(workspace=workspace).exclude(kind=Provider.Kind.REHEARSAL)
    return rows.order_by("rank", "created_at")


def _tokens(request: HttpRequest) -> dict[str, object]:
    tokens = ApiToken.objects.filter(user=member(request), revoked_at__isnull=True)
    return {"tokens": tokens.order_by("created_at"), "token_form": TokenForm()}


def _settings(
    request: HttpRequest, *, status: int = HTTPStatus.OK, **changed: object
) -> HttpResponse:
    user = member(request)
    workspace = real_workspace_of(user)
    context: dict[str, object] = {
        "can_manage": workspace is not None,
        "has_password": user.has_usable_password(),
        "profile_form": ProfileForm(initial={"display_name": str(user), "timezone": user.timezone}),
        "provider_form": ProviderForm(),
        "providers": _providers(workspace) if workspace else [],
        **_tokens(request),
        **changed,
    }
    return show(request, "dashboard/settings.html", context, section="settings", status=status)
