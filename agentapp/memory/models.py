"""What is remembered, what is known, and which talks are still to be gone over."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from pgvector.django import HalfVectorField
from typing_extensions import override

from agentapp.foundation.models import COVERED, Record
from agentapp.identity.models import Agent, Person, Room, User, Workspace


class Memory(Record):
    """Something an agent keeps, with where it came from and who may hear it again.

    The table has one more column, `words`: the text for full-text search in any language, kept
    by the database itself.
    """

    scope_path: ClassVar[str] = "agent"

    class Tier(models.TextChoices):
        SHORT = "short"
        MID = "mid"
        LONG = "long"

    class Kind(models.TextChoices):
        EPISODE = "episode"
        SUMMARY = "summary"
        LESSON = "lesson"
        FACT = "fact"

    class Audience(models.TextChoices):
        DIRECT = "direct", "that person's direct rooms"
        ROOM = "room", "that room, and that person's direct rooms"
        PUBLIC = "public", "public rooms, and that person's direct rooms"
        AGENT = "agent", "everywhere: about nobody"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, db_constraint=False)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="memories", **COVERED)
    person = models.ForeignKey(
        Person,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="memories",
        db_constraint=False,
    )
    room = models.ForeignKey(
        Room,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="memories",
        db_constraint=False,
    )
    tier = models.CharField(max_length=8, choices=Tier, default=Tier.MID)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.EPISODE)
    audience = models.CharField(max_length=8, choices=Audience)
    text = models.TextField()
    text_hash = models.CharField(max_length=64)
    embedding = HalfVectorField(null=True, editable=False)
    embedding_model = models.CharField(max_length=80, blank=True)
    embedding_dimensions = models.PositiveSmallIntegerField(null=True)
    importance = models.FloatField(default=0.5)
    source_message_id = models.BigIntegerField(null=True)
    source_turn_id = models.BigIntegerField(null=True)
    source_messages = ArrayField(
        models.BigIntegerField(), default=list, help_text="all of them, where it is more than one"
    )
    uses = models.PositiveIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(
        null=True, blank=True, help_text="its source was edited or deleted"
    )
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="by somebody who may take it back for a while"
    )
    corrected_at = models.DateTimeField(null=True, blank=True)
    corrected_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
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
                    "deleted_at",
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
            GinIndex(
                fields=["source_messages"],
                condition=~models.Q(source_messages=[]),
                name="memory_sources",
            ),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(expires_at__isnull=False),
                name="memory_expiry",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.text[:60]


class Fact(Record):
    """What a memory says, taken apart: who or what, in which respect, what.

    A fact is heard through its memory and never without it: audience, expiry, withdrawal and the
    person's wish not to be remembered hold for both, because they are written down once.
    """

    scope_path: ClassVar[str] = "memory__agent"

    class Status(models.TextChoices):
        CURRENT = "current"
        SUPERSEDED = "superseded", "something newer was said"

    class Source(models.TextChoices):
        SAID = "said", "in the person's own words"
        CORRECTED = "corrected", "by the agent's owner"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    memory = models.OneToOneField(Memory, on_delete=models.CASCADE, related_name="fact")
    author = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="facts")
    subject = models.CharField(max_length=60, help_text='"" is the author')
    predicate = models.CharField(max_length=60)
    object = models.CharField(max_length=300)
    confidence = models.FloatField()
    status = models.CharField(max_length=10, choices=Status, default=Status.CURRENT)
    source = models.CharField(max_length=10, choices=Source, default=Source.SAID)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confidence__gte=0, confidence__lte=1),
                name="fact_confidence_in_unit_range",
            ),
            models.CheckConstraint(
                condition=models.Q(status="current", valid_to__isnull=True)
                | models.Q(status="superseded", valid_to__isnull=False),
                name="fact_ends_when_superseded",
            ),
        ]
        indexes = [
            models.Index(
                fields=["author", "predicate"],
                condition=models.Q(status="current"),
                name="fact_current",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.subject} {self.predicate}: {self.object}".strip()


class Talk(Record):
    """What an agent and a person say to each other in a room, and how far it was gone over.

    `heard_through`, `closed_through` are message ids; between them lies what is still to be
    gone over. Whoever raises `fence` holds the row until `lease_until`.
    """

    scope_path: ClassVar[str] = "agent"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="talks")
    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="talks")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="talks")
    heard_through = models.BigIntegerField(default=0)
    closed_through = models.BigIntegerField(default=0)
    forgotten_through = models.BigIntegerField(
        default=0, help_text="up to here nothing may be remembered any more"
    )
    heard_at = models.DateTimeField()
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, blank=True)
    error = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "room", "person"], name="talk_once"),
        ]
        indexes = [
            models.Index(
                fields=["heard_at"],
                condition=models.Q(heard_through__gt=models.F("closed_through")),
                name="talk_open",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.agent_id} and {self.person_id} in {self.room_id}"


class EmbeddingChoice(Record):
    """Which model makes a workspace's vectors; without a provider the one on this machine does.

    `moved_at` is empty while older memories still get vectors of the chosen model.
    """

    scope_path: ClassVar[str] = "workspace"

    workspace = models.OneToOneField(
        Workspace, on_delete=models.CASCADE, related_name="embedding_choice"
    )
    provider = models.ForeignKey("agentapp.Provider", on_delete=models.SET_NULL, null=True)
    model = models.CharField(max_length=70)
    dimensions = models.PositiveSmallIntegerField()
    moved_at = models.DateTimeField(null=True, blank=True)
    chosen_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(dimensions__gte=32, dimensions__lte=1024),
                name="embedding_dimensions_fit_the_index",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.model} ({self.dimensions})"
