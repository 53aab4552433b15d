"""The engine as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from typing_extensions import override


class AgentappConfig(AppConfig):
    """Loads the Celery app, so that tasks are bound to it in every process, and the tools."""

    name = "agentapp"

    @override
    def ready(self) -> None:
        from agentapp.config import celery  # noqa: F401  (binds shared tasks to the app)
        from agentapp.drafts import tools as _acting  # noqa: F401  (each slice brings its own)
        from agentapp.memory import tools as _remembering  # noqa: F401
