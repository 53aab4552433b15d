"""What was asked with commands, so that nothing is done twice and private words find their way."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Agent, Identity, Room, Workspace


class CommandCall(Record):
    """One use of a command and what was answered.

    The words stay until whoever asked dismissed them, until the link to them was opened, or for
    ten minutes where they went out by themselves.
    """

    scope_path: ClassVar[str] = "host"  # read by whoever asked, through `commands.queries`

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    key = models.CharField(max_length=64, help_text="hash of the platform's name of this use")
    command = models.CharField(max_length=32)
    handle = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="commands")
    room = models.ForeignKey(Room, on_delete=models.CASCADE, null=True, blank=True)
    agent = models.ForeignKey(Agent, on_delete=models.SET_NULL, null=True, blank=True)
    words = models.TextField(blank=True)
    is_private = models.BooleanField(default=True)
    is_done = models.BooleanField(default=False)
    is_shown = models.BooleanField(default=False, help_text="in its web room, until dismissed")
    words_until = models.DateTimeField(null=True, blank=True)
    token_hash = models.CharField(max_length=64, null=True, blank=True, unique=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "key"], name="command_call_once"),
        ]
        indexes = [
            models.Index(
                fields=["room", "handle"],
                condition=models.Q(is_shown=True),
                name="command_call_shown",
            ),
            models.Index(
                fields=["words_until"],
                condition=~models.Q(words="") & models.Q(words_until__isnull=False),
                name="command_call_words",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.command} {self.pk}"
