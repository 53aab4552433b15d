"""What is remembered."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from pgvector.django import HalfVectorField
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Agent, Person, Room, Workspace

DIMENSIONS = 384


class Memory(Record):
    """Something an agent keeps, with where it came from and who may hear it again."""

    scope_path: ClassVar[str] = "agent"

    class Tier(models.TextChoices):
        SHORT = "short"
        MID = "mid"
        LONG = "long"

    class Kind(models.TextChoices):
        EPISODE = "episode"
        SUMMARY = "summary"
        LESSON = "lesson"

    class Audience(models.TextChoices):
        DIRECT = "direct", "that person's direct rooms"
        ROOM = "room", "that room, and that person's direct rooms"
        PUBLIC = "public", "public rooms, and that person's direct rooms"
        AGENT = "agent", "everywhere: about nobody"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="memories")
    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, null=True, blank=True, related_name="memories"
    )
    room = models.ForeignKey(
        Room, on_delete=models.CASCADE, null=True, blank=True, related_name="memories"
    )
    tier = models.CharField(max_length=8, choices=Tier, default=Tier.MID)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.EPISODE)
    audience = models.CharField(max_length=8, choices=Audience)
    text = models.TextField()
    text_hash = models.CharField(max_length=64)
    embedding = HalfVectorField(dimensions=DIMENSIONS, null=True, editable=False)
    embedding_model = models.CharField(max_length=80, blank=True)
    embedding_dimensions = models.PositiveSmallIntegerField(null=True)
    importance = models.FloatField(default=0.5)
    source_message_id = models.BigIntegerField(null=True)
    source_turn_id = models.BigIntegerField(null=True)
    uses = models.PositiveIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(
        null=True, blank=True, help_text="its source was edited or deleted"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(audience="agent", person__isnull=True)
                | models.Q(audience="direct", person__isnull=False)
                | models.Q(audience="public", person__isnull=False)
                | models.Q(audience="room", person__isnull=False, room__isnull=False),
                name="memory_audience_fits",
            ),
            models.CheckConstraint(
                condition=models.Q(importance__gte=0, importance__lte=1),
                name="memory_importance_in_unit_range",
            ),
            models.UniqueConstraint(
                fields=["agent", "source_message_id", "text_hash"],
                name="memory_once_per_source",
            ),
        ]
        indexes = [
            models.Index(
                fields=["agent", "person"],
                include=[
                    "id",
                    "embedding",
                    "embedding_model",
                    "workspace",
                    "room",
                    "audience",
                    "expires_at",
                    "withdrawn_at",
                ],
                name="memory_cover",
            ),
            models.Index(fields=["agent", "person", "-id"], name="memory_person"),
            models.Index(
                fields=["source_message_id"],
                condition=models.Q(withdrawn_at__isnull=True),
                name="memory_source",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(embedding__isnull=True, withdrawn_at__isnull=True),
                name="memory_pending",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.text[:60]
