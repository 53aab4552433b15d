"""Application services: homeservers that hand over what happens, for many logins at once."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Account, Workspace


class ApplicationService(Record):
    """A homeserver's word that this host runs every user of a namespace there.

    It hands over each event once, however many of these users are in the room. One process at a
    time takes that in, under a lease with a fence, as with logins.
    """

    scope_path: ClassVar[str] = "workspace"

    class Health(models.TextChoices):
        STARTING = "starting", "the homeserver does not know it yet"
        OK = "ok"
        FAILING = "failing"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    platform = models.CharField(max_length=20)
    domain = models.CharField(max_length=255, help_text="what stands behind the colon of its users")
    address = models.CharField(max_length=300, help_text="where the homeserver answers")
    prefix = models.CharField(max_length=40, help_text="what the names of its users begin with")
    sealed = models.TextField(help_text="the tokens of both directions")
    token_mark = models.CharField(
        max_length=100, editable=False, help_text="keyed hash of the homeserver's token"
    )
    health = models.CharField(max_length=16, choices=Health, default=Health.STARTING)
    health_since = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    heard_at = models.DateTimeField(null=True, blank=True, help_text="when it last handed over")
    lease_holder = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "platform", "domain"], name="appservice_once"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.prefix}…:{self.domain}"


class Ghost(Record):
    """A login that an application service answers for: it has no password and reads nothing."""

    scope_path: ClassVar[str] = "account__agent"

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="ghost"
    )
    service = models.ForeignKey(ApplicationService, on_delete=models.CASCADE, related_name="ghosts")

    @override
    def __str__(self) -> str:
        return str(self.account)


class Parcel(Record):
    """What a homeserver handed over in one transaction of its own.

    Its content goes in the transaction that takes it in. The row stays for a while, so that the
    same one is known when it comes again.
    """

    scope_path: ClassVar[str] = "service__workspace"

    service = models.ForeignKey(
        ApplicationService, on_delete=models.CASCADE, related_name="parcels"
    )
    name = models.CharField(max_length=255, help_text="the homeserver's own id of it")
    content = models.BinaryField(help_text="as it came")
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "name"], name="parcel_once"),
        ]
        indexes = [
            models.Index(
                fields=["service", "id"],
                condition=models.Q(taken_at__isnull=True),
                name="parcel_waiting",
            ),
        ]

    @override
    def __str__(self) -> str:
        return self.name
