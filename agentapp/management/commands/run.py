"""`manage.py run`: the embedded host, for those who know Django's command line."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from typing_extensions import override

from agentapp.management.stack.__main__ import add_run_arguments, run


class Command(BaseCommand):
    """Runs Greenroom with its own database and broker until it is stopped."""

    help = "Runs Greenroom with its own database and broker until it is stopped."
    requires_system_checks = []

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        add_run_arguments(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(run(port=options["port"], data=options["data"]))
