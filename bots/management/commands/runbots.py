"""`manage.py runbots`: serve the logins of all platforms until told to stop."""

from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from agentapp.foundation.collecting import collect_rarely
from agentapp.identity.services import leases


class Command(BaseCommand):
    """Serves logins and delivers approved pieces."""

    help = "Serve the agents' logins: deliver what was approved. Stops on SIGTERM or Ctrl-C."
    requires_system_checks = ()

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="only say whether such a process runs on this machine; 1 when none does",
        )

    @override
    def handle(self, *args: object, **options: Any) -> None:
        # Only one of the two is needed in a process, and the second knows every platform.
        from bots.host import machine_name  # noqa: PLC0415

        if options["check"]:
            if not leases.is_there(host=machine_name()):
                raise CommandError("No process on this machine renews its leases.")
            return
        from bots.main import serve  # noqa: PLC0415

        collect_rarely()
        asyncio.run(serve())
