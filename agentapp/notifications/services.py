"""Telling users."""

from __future__ import annotations

from collections.abc import Iterable

from agentapp.foundation import clock, live
from agentapp.identity.models import User
from agentapp.notifications.models import Notification


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

    Announces: "notifications", after commit.
    """
    made = Notification.objects.bulk_create(
        [
            Notification(
                user_id=user_id,
                workspace_id=workspace_id,
                kind=kind,
                subject_kind=subject_kind,
                subject_id=subject_id,
                text=text[:300],
            )
        ],
        ignore_conflicts=True,
    )
    if made:
        live.publish_on_commit("notifications", user_id)


def mark_read(*, user: User, ids: Iterable[int] | None = None) -> int:
    """Mark a user's notes read; all of them when no ids are given. Returns how many."""
    rows = Notification.objects.filter(user=user, read_at__isnull=True)
    if ids is not None:
        rows = rows.filter(pk__in=list(ids))
    return rows.update(read_at=clock.GreenroomNow())
