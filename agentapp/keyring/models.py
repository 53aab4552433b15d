"""A login's keys for end-to-end encryption, opaque here, and what it could not read yet."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from typing_extensions import override

from agentapp.foundation.models import Record
from agentapp.identity.models import Account, Workspace


class Keyring(Record):
    """That a login reads encrypted rooms: one device's keys, all of them or none.

    `version` rises with every change of any key. A process that worked from an older one, or no
    longer holds the login's lease, can store nothing.
    """

    scope_path: ClassVar[str] = "account__agent"

    account = models.OneToOneField(
        Account, on_delete=models.CASCADE, primary_key=True, related_name="keyring"
    )
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE)
    is_on = models.BooleanField(default=True)
    device = models.CharField(max_length=255, help_text="whose keys these are, on its platform")
    fingerprint = models.CharField(max_length=200, help_text="public; people compare it")
    version = models.BigIntegerField(default=0)

    @override
    def __str__(self) -> str:
        return f"keys of {self.device}"


class Key(models.Model):
    """One key or ratchet, sealed. What kinds there are is the platform's own matter."""

    scope_path: ClassVar[str] = "keyring__account__agent"

    keyring = models.ForeignKey(Keyring, on_delete=models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=600)
    owner = models.CharField(max_length=255, blank=True, help_text="the handle that it came from")
    sealed = models.TextField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["keyring", "kind", "name"], name="key_once"),
        ]
        indexes = [
            models.Index(fields=["keyring", "kind", "owner", "changed_at"], name="key_of_owner"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.kind} of {self.keyring_id}"


class Unread(Record):
    """Something said to a login for which the key had not come: kept as it was, read later."""

    scope_path: ClassVar[str] = "keyring__account__agent"

    keyring = models.ForeignKey(Keyring, on_delete=models.CASCADE, related_name="unread")
    room_external_id = models.CharField(max_length=255)
    external_id = models.CharField(max_length=255)
    key_name = models.CharField(max_length=600, help_text="the key that would open it")
    content = models.TextField(help_text="as the platform gave it, encrypted")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["keyring", "room_external_id", "external_id"], name="unread_once"
            ),
        ]
        indexes = [models.Index(fields=["keyring", "key_name"], name="unread_by_key")]

    @override
    def __str__(self) -> str:
        return f"unread {self.external_id}"
