"""Tells owners about money and models."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from agentapp.foundation import clock
from agentapp.identity.models import Seat
from agentapp.llm import queries as llm
from agentapp.notifications.services import notify

LOOKS_BACK = timedelta(minutes=10)  # longer than a worker is ever gone for; repeats are dropped


@transaction.atomic
def tell_owners() -> int:
    """Leave the owners of a workspace a note when its budget is spent or its model fails.

    Writes: Notification, once per owner and occasion. Harmless when run twice.

    Returns:
        How many notes are due to owners of late, left now or before.
    """
    alerts = llm.alerts(since=clock.now() - LOOKS_BACK)
    owners = Seat.objects.filter(
        role=Seat.Role.OWNER, workspace_id__in={alert.workspace_id for alert in alerts}
    ).values_list("workspace_id", "user_id")
    due = [
        (alert, user)
        for alert in alerts
        for workspace, user in owners
        if workspace == alert.workspace_id
    ]
    for alert, user_id in due:
        notify(
            user_id=user_id,
            workspace_id=alert.workspace_id,
            kind=alert.kind,
            subject_kind=alert.subject_kind,
            subject_id=alert.subject_id,
            text=alert.text,
        )
    return len(due)
