"""Settings of memory: which model makes the vectors that memories are found by."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from agentapp.foundation.errors import AgentError
from agentapp.identity import policy
from agentapp.identity.models import Workspace
from agentapp.identity.policy import Verb
from agentapp.identity.queries import real_workspace_of
from agentapp.llm.adapters import MAKE_VECTORS
from agentapp.llm.models import Provider
from agentapp.memory import indexing, vectors
from agentapp.memory.models import EmbeddingChoice
from agentapp.memory.services.choosing import SIZES, choose_embeddings
from dashboard.pages.frame import done, member, page, show

USUAL_MODEL = "text-embedding-3-small"
USUAL_SIZE = 512


@dataclass(frozen=True, slots=True)
class ChoiceShown:
    """What is chosen, what could be, and how far older memories have moved."""

    provider: str
    providers: list[Provider]
    model: str
    sizes: tuple[int, ...]
    dimensions: int
    moved: int
    all: int
    suggested: str = ""
    error: str = ""


@page
@require_http_methods(["GET", "POST"])
def embeddings(request: HttpRequest) -> HttpResponse:
    """Show or change which model makes the vectors; a server is proven by a real one first."""
    workspace = _workspace(request)
    if request.method == "GET":
        return _shown(request, workspace)
    model = request.POST.get("model", "")
    size = request.POST.get("dimensions", "")
    dimensions = int(size) if size.isascii() and size.isdigit() and len(size) < 6 else 0
    provider = _provider(request, workspace)
    try:
        choose_embeddings(
            workspace=workspace,
            provider=provider,
            model=model,
            dimensions=dimensions,
            by=member(request),
        )
    except AgentError as error:
        return _shown(request, workspace, error=error.message)
    return done(request, to="embeddings", said="Chosen. Older memories move over by themselves.")


def _shown(request: HttpRequest, workspace: Workspace, *, error: str = "") -> HttpResponse:
    choice = EmbeddingChoice.objects.filter(workspace=workspace).first()
    vectors.choice_changed(workspace.pk)
    moved, total = indexing.progress(workspace.pk)
    kept = choice if choice is not None and choice.provider_id is not None else None
    shown = ChoiceShown(
        provider=request.POST.get("provider", str(kept.provider_id) if kept else ""),
        providers=list(
            policy.visible(Provider, member(request))
            .filter(workspace=workspace, kind__in=MAKE_VECTORS)
            .order_by("rank")
        ),
        model=request.POST.get("model", kept.model if kept else USUAL_MODEL),
        sizes=SIZES,
        dimensions=kept.dimensions if kept else USUAL_SIZE,
        moved=moved,
        all=total,
        suggested=settings.EMBEDDING_DEFAULT[0] if settings.EMBEDDING_DEFAULT else "",
        error=error,
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    context = {"choice": shown}
    return show(request, "dashboard/embeddings.html", context, section="settings", status=status)


def _provider(request: HttpRequest, workspace: Workspace) -> Provider | None:
    named = request.POST.get("provider", "")
    if not named:
        return None
    try:
        provider_id = uuid.UUID(named)
    except ValueError as error:
        raise Http404 from error
    return policy.get(Provider, member(request), pk=provider_id, workspace=workspace)


def _workspace(request: HttpRequest) -> Workspace:
    user = member(request)
    workspace = real_workspace_of(user)
    if workspace is None:
        raise Http404
    policy.require(user, Verb.MANAGE, workspace)
    return workspace
