"""Telling users. The events name a note and whom it is for, never its words."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction

from agentapp.events.services import record
from agentapp.foundation import clock
from agentapp.identity.models import User
from agentapp.notifications.models import Notification

INSERT = """
INSERT INTO agentapp_notification (user_id, workspace_id, kind, subject_kind, subject_id, text)
VALUES (%(user_id)s, %(workspace_id)s, %(kind)s, %(subject_kind)s, %(subject_id)s, %(text)s)
ON CONFLICT (user_id, kind, subject_kind, subject_id) DO NOTHING RETURNING id
"""


@transaction.atomic
def notify(
    *,
    user_id: int,
    workspace_id: int,
    kind: str,
    subject_kind: str,
    subject_id: int,
    text: str,
) -> None:
    """Leave a note for a user, once per kind and subject.

    Writes: Notification, Event `notification.made`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT,
            {
                "user_id": user_id,
                "workspace_id": workspace_id,
                "kind": kind,
                "subject_kind": subject_kind,
                "subject_id": subject_id,
                "text": text[:300],
            },
        )
        made = cursor.fetchone()
    if made is not None:
        _tell(user_id, "made", workspace_id=workspace_id, note=made[0], kind=kind)


@transaction.atomic
def mark_read(*, user: User, ids: Iterable[int] | None = None) -> int:
    """Mark a user's notes read; all of them when no ids are given. Returns how many.

    Writes: Notification, Event `notification.read`.
    """
    rows = Notification.objects.filter(user=user, read_at__isnull=True)
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    count = rows.update(read_at=clock.GreenroomNow())
    if count:
        _tell(user.pk, "read", count=count)
    return count


def _tell(user_id: int, what: str, *, workspace_id: int | None = None, **payload: object) -> None:
    record(
        type=f"notification.{what}",
        subject_kind="user",
        subject_id=user_id,
        workspace_id=workspace_id,
        payload=payload,
    )
