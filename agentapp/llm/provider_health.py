"""Notes on the provider what its owner has to put right, and takes the note away again."""

from __future__ import annotations

import uuid

from django.db import transaction

from agentapp.events import services as events
from agentapp.llm.adapters.protocol import Failure, FailureKind
from agentapp.llm.models import Provider
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


def note_success(provider_pk: uuid.UUID) -> None:
    """Forget an old failure: the provider answers again."""
    Provider.objects.filter(pk=provider_pk).exclude(last_error="").update(last_error="")
