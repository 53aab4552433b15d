"""Notes on the provider what its owner has to put right, and takes the note away again."""

from __future__ import annotations

import uuid

from django.db import transaction

from agentapp.events import services as events
from agentapp.llm.adapters.protocol import Failure, FailureKind
from agentapp.llm.models import Provider
from agentapp.llm.prices import price_in_words
from agentapp.llm.rules.money import Price
from agentapp.llm.tickets import Ticket

MAX_ERROR = 400
# Waiting does not help against these; somebody has to change something.
_NEEDS_OWNER = {FailureKind.KEY, FailureKind.CREDIT, FailureKind.ADDRESS, FailureKind.MODEL}


def note_failure(ticket: Ticket, failure: Failure) -> None:
    """Show a lasting failure on the provider; the same one is announced once.

    Announces: `provider.failed`; owners are told from it.
    """
    if failure.kind not in _NEEDS_OWNER or ticket.route.provider_pk is None:
        return
    message = failure.message[:MAX_ERROR]
    with transaction.atomic():
        provider = Provider.objects.filter(pk=ticket.route.provider_pk).exclude(last_error=message)
        if provider.update(last_error=message) != 1:
            return
        events.record(
            type="provider.failed",
            subject_kind="provider",
            subject_id=ticket.route.provider_pk,
            workspace_id=ticket.question.workspace_id,
            payload={"text": message, "kind": str(failure.kind)},
        )


def note_dearer_model(ticket: Ticket, *, model: str, price: Price) -> None:
    """Remember that a server bills a dearer model than it is asked for; each is told once.

    From then on calls hold what the dearer one costs. Writes: Provider. Announces:
    `provider.bills_another`; owners are told from it.
    """
    route = ticket.route
    if route.provider_pk is None or model == route.dearer_model:
        return
    if route.dearer is not None and not route.dearer.is_passed_by(price):
        return
    with transaction.atomic():
        provider = Provider.objects.select_for_update(no_key=True).filter(pk=route.provider_pk)
        row = provider.first()
        if row is None or row.bills_as.get(route.model, "") != route.dearer_model:
            return  # it is gone, or somebody else was told just now
        provider.update(bills_as=row.bills_as | {route.model: model})
        events.record(
            type="provider.bills_another",
            subject_kind="provider",
            subject_id=row.pk,
            workspace_id=row.workspace_id,
            payload={
                "text": _bills_another(row.name, asked=route.model, model=model, price=price),
                "asked": route.model,
                "billed": model,
            },
        )


def _bills_another(server: str, *, asked: str, model: str, price: Price) -> str:
    return (
        f"{server} was asked for {asked} and answered with {model}, which costs more: "
        f"{price_in_words(price)}. That much is set aside for its answers from now on. "
        f"If you do not want to pay it, choose another model or server under Settings."
    )


def note_success(provider_pk: uuid.UUID) -> None:
    """Forget an old failure: the provider answers again."""
    Provider.objects.filter(pk=provider_pk).exclude(last_error="").update(last_error="")
