"""Celery's entry points and what they lead to."""

from __future__ import annotations

from celery import current_app

from agentapp import tasks
from agentapp.config.schedule import TICKS
from agentapp.events.services import record
from agentapp.notifications import alerts
from agentapp.notifications.models import Notification
from tests.cast import Cast


def test_every_clock_hand_is_a_task() -> None:
    wanted = {tick.task for tick in TICKS}
    assert wanted <= set(current_app.tasks)
    assert {getattr(tasks, name).name for name in tasks.__all__} == wanted


def test_ticks_with_nothing_to_do_do_nothing(cast: Cast) -> None:
    for name in tasks.__all__:
        assert getattr(tasks, name)() == 0


def _spent(cast: Cast) -> None:
    record(
        type="budget.exhausted",
        subject_kind="budget",
        subject_id=7,
        workspace_id=cast.workspace.pk,
        payload={"text": "Today's budget of $1.00 is used up."},
    )


def test_owners_are_told_once_that_the_money_is_spent(cast: Cast) -> None:
    _spent(cast)
    for _ in range(2):
        alerts.tell_owners()
    note = Notification.objects.get(kind="budget.exhausted")
    assert (note.user, note.text) == (cast.root, "Today's budget of $1.00 is used up.")
