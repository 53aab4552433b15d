"""The processes that run logins, as far as they know of each other."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record


class Runner(Record):
    """One process that can run logins; it counts as long as it says so again and again.

    Only what it writes here tells the others that it is there, also while it runs no login yet.
    """

    scope_path: ClassVar[str] = "host"

    holder = models.CharField(primary_key=True, max_length=80)
    platforms = ArrayField(models.CharField(max_length=20), default=list)
    since = models.DateTimeField()
    alive_until = models.DateTimeField()

    @override
    def __str__(self) -> str:
        return self.holder
