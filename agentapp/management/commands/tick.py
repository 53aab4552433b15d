"""`manage.py tick demo`: moves one clock hand by hand, without waiting for its time."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from typing_extensions import override


class Command(BaseCommand):
    """Runs one row of the beat table in this process; ticks are safe to run at any time."""

    help = "Run one periodic task now, in this process."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=sorted(settings.CELERY_BEAT_SCHEDULE))

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        current_app.loader.import_default_modules()
        task = current_app.tasks[settings.CELERY_BEAT_SCHEDULE[options["name"]]["task"]]
        done = task.apply(throw=True).get()
        self.stdout.write(f"{options['name']}: {done}")
