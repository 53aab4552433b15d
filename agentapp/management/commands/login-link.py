"""Prints a one-time way in on the terminal."""

from __future__ import annotations

from django.conf import settings
from django.core.management.base import BaseCommand
from typing_extensions import override

from agentapp.identity.services import make_login_link


class Command(BaseCommand):
    """Makes the link; it works once, for an hour, and stands in no log."""

    help = "Print a fresh one-time login link for the admin (valid one hour)."
    requires_system_checks = []

    @override
    def handle(self, *args: object, **options: object) -> None:
        self.stdout.write(f"{settings.PUBLIC_URL}/start/{make_login_link()}/")
