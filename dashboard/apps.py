"""Pages, API, websockets and admin as a Django app (it has no tables)."""

from __future__ import annotations

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """The web side."""

    name = "dashboard"
