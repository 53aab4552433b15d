"""Choosing which model makes a workspace's vectors."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from agentapp.events import services as events
from agentapp.foundation.errors import Invalid
from agentapp.foundation.text import one_line
from agentapp.identity.models import User, Workspace
from agentapp.llm.adapters import MAKE_VECTORS
from agentapp.llm.models import Provider
from agentapp.memory import vectors
from agentapp.memory.embeddings import EmbeddingUnavailable
from agentapp.memory.models import EmbeddingChoice, Memory

SIZES = (256, 512, 1024)
MAX_MODEL = 70


def choose_embeddings(
    *, workspace: Workspace, provider: Provider | None, model: str, dimensions: int, by: User
) -> EmbeddingChoice:
    """Have a server make a workspace's vectors from now on, or this machine again.

    A server is proven first by one real vector. Older memories move over in the background; until
    then they are found by their words.
    Writes: EmbeddingChoice, Event `embedding.chosen`. Calls: the server, outside any transaction.

    Args:
        workspace: Whose memories.
        provider: None for this machine.
        model: The server's name of the model; not looked at for this machine.
        dimensions: One of `SIZES`; not looked at for this machine.
        by: Whoever chooses.

    Raises:
        Invalid: The server or the size cannot be used, or it made no vector; it says why.
    """
    name = one_line(model, limit=MAX_MODEL) if provider else ""
    if provider is not None:
        _prove(provider, workspace, model=name, dimensions=dimensions)
    with transaction.atomic():
        choice, _ = EmbeddingChoice.objects.update_or_create(
            workspace=workspace,
            defaults={
                "provider": provider,
                "model": name,
                "dimensions": dimensions if provider else vectors.OWN.dimensions,
                "moved_at": None,
                "chosen_by": by,
            },
        )
        events.record(
            type="embedding.chosen",
            subject_kind="workspace",
            subject_id=workspace.pk,
            workspace_id=workspace.pk,
            actor_id=by.pk,
            payload={"model": vectors.making_of(choice).name},
        )
    vectors.choice_changed(workspace.pk)
    return choice


def adopt_default(*, workspace: Workspace, by: User) -> str:
    """Have a new workspace's vectors made as this host suggests, once a server there can.

    A workspace that has chosen, or remembers something already, is left alone. Without a usable
    server everything stays on this machine.
    Writes: as `choose_embeddings`. Calls: the server, outside any transaction.

    Returns:
        Why it did not work, in a sentence; "" when it did or there was nothing to do.
    """
    suggested: tuple[str, int] | None = settings.EMBEDDING_DEFAULT
    if suggested is None or not _is_new(workspace):
        return ""
    providers = Provider.objects.filter(workspace=workspace, kind__in=MAKE_VECTORS)
    provider = providers.order_by("rank").first()
    if provider is None:
        return ""
    model, dimensions = suggested
    try:
        choose_embeddings(
            workspace=workspace, provider=provider, model=model, dimensions=dimensions, by=by
        )
    except Invalid as error:
        return f"Memories are found by this machine's own model. {error.message}"
    return ""


def _is_new(workspace: Workspace) -> bool:
    has_chosen = EmbeddingChoice.objects.filter(workspace=workspace).exists()
    return not has_chosen and not Memory.objects.filter(workspace=workspace).exists()


def _prove(provider: Provider, workspace: Workspace, *, model: str, dimensions: int) -> None:
    if provider.workspace_id != workspace.pk or provider.kind not in MAKE_VECTORS:
        raise Invalid("This server makes no vectors.")
    if dimensions not in SIZES:
        raise Invalid(f"Choose one of {', '.join(map(str, SIZES))} numbers.")
    if not model:
        raise Invalid("Name the model, for example text-embedding-3-small.")
    trial = EmbeddingChoice(
        workspace=workspace, provider=provider, model=model, dimensions=dimensions
    )
    try:
        vectors.embed_by(vectors.making_of(trial), ["ready"])
    except EmbeddingUnavailable as error:
        raise Invalid(f"It made no vector: {error.message}") from error
