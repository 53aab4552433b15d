"""Humans in rooms and their handles."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models.agents import Agent
from agentapp.identity.models.rooms import Room
from agentapp.identity.models.tenancy import User, Workspace


class Person(Record):
    """A human in rooms, under whatever handles."""

    scope_path: ClassVar[str] = "workspace"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="people")
    name = models.CharField(max_length=80)
    timezone = models.CharField(max_length=64, blank=True)
    sharing = models.BooleanField(default=False, help_text="agents may tell each other")
    never_remember = models.BooleanField(default=False)
    stopped_at = models.DateTimeField(
        null=True, blank=True, help_text="since when no agent answers, mentions or remembers them"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="person_in_workspace"),
        ]
        # Who is to be left alone is few, and looked for before anything is said.
        indexes = [
            models.Index(
                fields=["stopped_at"],
                condition=models.Q(stopped_at__isnull=False),
                name="person_stopped",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class Identity(Record):
    """A handle on one platform: of a human, a bot, one of our agents, or a scripted member."""

    scope_path: ClassVar[str] = "workspace"

    class Kind(models.TextChoices):
        HUMAN = "human"
        BOT = "bot"
        AGENT = "agent"
        SCRIPTED = "scripted"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="identities")
    platform = models.CharField(max_length=20)
    external_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.HUMAN)
    name = models.CharField(max_length=80)
    person = models.ForeignKey(
        Person, on_delete=models.SET_NULL, null=True, blank=True, related_name="identities"
    )
    agent = models.ForeignKey(
        Agent, on_delete=models.CASCADE, null=True, blank=True, related_name="identities"
    )
    user = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="identities"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "platform", "external_id"], name="identity_once"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="agent", agent__isnull=False)
                | (~models.Q(kind="agent") & models.Q(agent__isnull=True)),
                name="identity_agent_iff_kind",
            ),
        ]
        # One handle may be known in several workspaces.
        indexes = [models.Index(fields=["platform", "external_id"], name="identity_handle")]

    @override
    def __str__(self) -> str:
        return self.name


class Participant(Record):
    """A handle that is in a room (agents' presence is Membership)."""

    scope_path: ClassVar[str] = "room"

    room = models.ForeignKey(
        Room, on_delete=models.CASCADE, related_name="participants", db_index=False
    )
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="rooms")
    left_at = models.DateTimeField(null=True, blank=True)
    read_through = models.BigIntegerField(default=0, help_text="last message id seen")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["room", "identity"], name="participant_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.identity_id} in {self.room_id}"


class Stay(Record):
    """A handle's time in a group of rooms, such as a server, as far as its platform tells of it."""

    scope_path: ClassVar[str] = "identity__workspace"

    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="stays")
    group_id = models.CharField(max_length=255, help_text="the platform's id, as rooms have it")
    group_name = models.CharField(max_length=120, blank=True)
    joined_at = models.DateTimeField(
        null=True, blank=True, help_text="by the platform's clock; empty where nobody saw it"
    )
    left_at = models.DateTimeField(null=True, blank=True, help_text="empty while they are there")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["identity", "group_id"], name="stay_once"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.identity_id} in {self.group_name or self.group_id}"
