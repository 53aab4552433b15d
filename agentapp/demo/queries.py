"""Reads of demos."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agentapp.demo import rules
from agentapp.demo.models import DemoRun
from agentapp.events.models import Event
from agentapp.foundation.clock import GreenroomNow
from agentapp.identity.models import User


@dataclass(frozen=True, slots=True)
class DemoView:
    """A user's demo for a page. `state` is running, paused (nobody looks) or stopped."""

    workspace_id: int
    room_id: int
    state: str
    stop_reason: str
    messages: int


def get_run(*, user: User) -> DemoRun | None:
    """Return the user's demo, or None; one query."""
    return DemoRun.objects.filter(user=user).select_related("workspace", "room").first()


def get_view(*, user: User, now: datetime) -> DemoView | None:
    """Return what a page shows of the user's demo, or None; one query."""
    run = DemoRun.objects.filter(user=user, room__isnull=False).first()
    if run is None or run.room_id is None:
        return None
    return DemoView(
        workspace_id=run.workspace_id,
        room_id=run.room_id,
        state=_state(run, now),
        stop_reason=run.stop_reason,
        messages=run.messages,
    )


def was_removed(*, user: User) -> bool:
    """Say whether this user once removed a demo: it does not come back by itself."""
    return Event.objects.filter(type="demo.removed", actor_id=str(user.pk)).exists()


def list_due(*, limit: int) -> list[int]:
    """Return ids of demos that are watched and may have something to do, longest due first."""
    due = DemoRun.objects.filter(
        stopped_at__isnull=True,
        next_line_at__lte=GreenroomNow(),
        watched_at__gt=GreenroomNow() - rules.WATCHED_FOR,
    )
    return list(due.order_by("next_line_at").values_list("pk", flat=True)[:limit])


def _state(run: DemoRun, now: datetime) -> str:
    if run.stopped_at:
        return "stopped"
    return "running" if rules.is_watched(run.watched_at, now=now) else "paused"
