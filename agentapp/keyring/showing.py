"""What a login's owner sees of its keys."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count

from agentapp.identity.models import Account
from agentapp.keyring.makers import is_offered
from agentapp.keyring.models import Key, Keyring, Unread

BLOCK = 4  # characters of a fingerprint that people compare at a glance


@dataclass(frozen=True, slots=True)
class RingShown:
    """How a login fares with what is encrypted.

    Attributes:
        is_on: It reads and writes encrypted rooms.
        was_on: It did once, and its keys are still here.
        unread: Messages that it could not read yet.
    """

    is_on: bool = False
    was_on: bool = False
    device: str = ""
    fingerprint: str = ""
    unread: int = 0


def rings_of(accounts: Collection[Account]) -> dict[uuid.UUID, RingShown]:
    """Return how logins fare that can have keys; two queries for any number."""
    able = [one.pk for one in accounts if is_offered(one.platform)]
    if not able:
        return {}
    rings = {row.pk: row for row in Keyring.objects.filter(pk__in=able)}
    unread = dict(
        Unread.objects.filter(keyring__in=able, keyring__is_on=True)
        .order_by()
        .values_list("keyring")
        .annotate(count=Count("pk"))
    )
    return {pk: _shown(rings.get(pk), unread.get(pk, 0)) for pk in able}


def room_keys(account: Account, kind: str) -> int:
    """Return how many keys of a kind a login has."""
    return Key.objects.filter(keyring=account.pk, kind=kind).count()


def _shown(ring: Keyring | None, unread: int) -> RingShown:
    if ring is None:
        return RingShown()
    return RingShown(ring.is_on, not ring.is_on, ring.device, ring.fingerprint, unread)


def in_blocks(fingerprint: str) -> str:
    """Return a fingerprint in blocks, as Matrix apps show theirs."""
    starts = range(0, len(fingerprint), BLOCK)
    return " ".join(fingerprint[start : start + BLOCK] for start in starts)
