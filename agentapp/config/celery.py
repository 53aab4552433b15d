"""The Celery app: wake-ups only, never the truth."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_ready

from agentapp.foundation.collecting import collect_rarely

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentapp.config.settings")

app = Celery("greenroom")
# Wake-ups are sent from request threads too, where only the default app is found.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["agentapp"], related_name="tasks", force=False)


def _settle(**_: object) -> None:
    collect_rarely()


worker_ready.connect(_settle)
