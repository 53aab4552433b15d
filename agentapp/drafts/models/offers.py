"""What owners said when asked to let replies go on their own."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Agent, Room, Workspace


class ReplyOffer(Record):
    """What an owner said when asked to let an agent's replies in a room go on their own.

    Replies sent before `answered_at` no longer count for the next time it is asked.
    """

    scope_path: ClassVar[str] = "agent"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="reply_offers")
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="reply_offers")
    is_accepted = models.BooleanField()
    answered_at = models.DateTimeField()
    times = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "room"], name="reply_offer_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"replies of {self.agent_id} in {self.room_id}: {self.is_accepted}"
