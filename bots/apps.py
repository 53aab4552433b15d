"""The platform hosts as a Django app, for the sake of its command; it has no tables."""

from __future__ import annotations

from django.apps import AppConfig


class BotsConfig(AppConfig):
    """The connector side."""

    name = "bots"
