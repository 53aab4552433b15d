"""Which models may answer, and at what price."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db.models import QuerySet

from agentapp.foundation.prepared import prepared
from agentapp.identity.models import Workspace
from agentapp.llm.models import Provider, Rate
from agentapp.llm.rates import UNKNOWN
from agentapp.llm.rules import money
from agentapp.llm.rules.addresses import is_local_url
from agentapp.llm.rules.money import FREE, Price
from agentapp.llm.rules.pictures import is_known_to_read


def default_provider(workspace: Workspace) -> Provider | None:
    """Return the provider that answers for a workspace; rehearsal only in demos. One query."""
    provider = _defaults.first(workspace_ids=[workspace.pk])
    if provider is None:
        return None
    is_rehearsal = provider.kind == Provider.Kind.REHEARSAL
    return provider if is_rehearsal == workspace.is_demo else None


def providers_of(workspace: Workspace) -> list[Provider]:
    """Return who may answer for a workspace, the first to be asked first. One query.

    Rehearsal answers in demos and nowhere else; nothing else answers there.
    """
    rows = _providers(workspace_id=workspace.pk)
    return [row for row in rows if (row.kind == Provider.Kind.REHEARSAL) == workspace.is_demo]


def may_read_pictures(workspace_id: int) -> bool:
    """Say whether any of a workspace's servers gets pictures. One query."""
    return any(
        row.pictures == Provider.Pictures.YES
        or (row.pictures == Provider.Pictures.AUTO and is_known_to_read(row.reply_model))
        for row in _providers(workspace_id=workspace_id)
    )


def has_provider(workspace: Workspace) -> bool:
    """Say whether a model is connected. One query."""
    return default_provider(workspace) is not None


def price_of(*, kind: str, base_url: str, model: str, day: date) -> Price | None:
    """Return a model's price on a day; None when the price list was never loaded. One query.

    One's own machines are free, unless the list names exactly this model: then something there
    passes the questions on to who sells it.
    """
    if kind == Provider.Kind.REHEARSAL:
        return FREE
    patterns = money.price_patterns(model)
    if is_local_url(base_url):
        patterns = patterns[:1]
    best = min(
        _rates_on(models=list(patterns), day=day),
        key=lambda rate: (patterns.index(rate.model), -rate.effective_from.toordinal()),
        default=None,
    )
    if best is None:
        return FREE if is_local_url(base_url) else None
    return Price(
        best.input_micros,
        best.output_micros,
        best.cached_micros,
        rate_id=best.pk,
        is_known=best.model != UNKNOWN,
    )


def is_free(workspace: Workspace) -> bool:
    """Say whether asking costs nothing, so that no budget can stop it. Two queries at most."""
    return workspace.pk in free_workspaces([workspace.pk])


def free_workspaces(workspace_ids: Iterable[int]) -> set[int]:
    """Return those of the workspaces whose models cost nothing. Two queries at most."""
    providers = _defaults(workspace_ids=list(workspace_ids))
    local = {row.workspace_id: row for row in providers if is_local_url(row.base_url)}
    names = {
        pk: {money.bare_name(row.reply_model), money.bare_name(row.cheap_model)}
        for pk, row in local.items()
    }
    wanted = set().union(*names.values())
    sold = set(_sold(models=list(wanted))) if wanted else set()
    rehearsals = {row.workspace_id for row in providers if row.kind == Provider.Kind.REHEARSAL}
    return rehearsals | {pk for pk, own in names.items() if not own & sold}


@prepared
def workspace_row(workspace_id: int) -> QuerySet[Workspace]:
    """Return one workspace; one query."""
    return Workspace.objects.filter(pk=workspace_id)


@prepared
def _defaults(workspace_ids: list[int]) -> QuerySet[Provider]:
    return Provider.objects.filter(workspace_id__any=workspace_ids, is_default=True)


@prepared
def _providers(workspace_id: int) -> QuerySet[Provider]:
    return Provider.objects.filter(workspace_id=workspace_id).order_by("rank", "created_at")


@prepared
def _rates_on(models: list[str], day: date) -> QuerySet[Rate]:
    return Rate.objects.filter(model__any=models, effective_from__lte=day)


@prepared
def _sold(models: list[str]) -> QuerySet[Rate, str]:
    return Rate.objects.filter(model__any=models).values_list("model", flat=True)
