"""The engine as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from typing_extensions import override


class AgentappConfig(AppConfig):
    """Loads the Celery app, so that tasks are bound to it in every process."""

    name = "agentapp"

    @override
    def ready(self) -> None:
        from agentapp.config import celery  # noqa: F401  (binds shared tasks to the app)
