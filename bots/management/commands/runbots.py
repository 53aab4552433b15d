"""`manage.py runbots`: serve the logins of all platforms until told to stop."""

from __future__ import annotations

import asyncio

from django.core.management.base import BaseCommand
from typing_extensions import override

from bots.main import serve


class Command(BaseCommand):
    """Serves logins and delivers approved pieces."""

    help = "Serve the agents' logins: deliver what was approved. Stops on SIGTERM or Ctrl-C."
    requires_system_checks = ()

    @override
    def handle(self, *args: object, **options: object) -> None:
        asyncio.run(serve())
