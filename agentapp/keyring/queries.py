"""Reads of a login's keys."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import NotFound
from agentapp.foundation.secrets import unseal
from agentapp.keyring.changes import KeyName, KeyText, Sealed, StoredSealed
from agentapp.keyring.models import Key, Keyring, Unread
from agentapp.keyring.services import TABLE

MOST_AT_ONCE = 500  # rows of what was kept unread


@dataclass(frozen=True, slots=True)
class OpenedRing:
    """That a login has keys in use: of which device, and which version of them stands."""

    device: str
    version: int


@dataclass(frozen=True, slots=True)
class ReadKeys:
    """Keys in plain words, the version that they stand under, and the time."""

    version: int
    now: datetime
    keys: dict[KeyName, KeyText] = field(repr=False)


def ring_of(*, account_id: uuid.UUID) -> OpenedRing | None:
    """Return a login's keyring, or None where its owner has not turned encryption on."""
    found = (
        Keyring.objects.filter(account=account_id, is_on=True)
        .values_list("device", "version")
        .first()
    )
    return OpenedRing(*found) if found else None


def keys_named(*, account_id: uuid.UUID, names: Collection[KeyName]) -> ReadKeys:
    """Return those of some keys that are there.

    Raises:
        NotFound: The login has no keys any more.
        SecretUnreadable: What opens them is missing, or a row was changed.
    """
    rows = Key.objects.filter(
        keyring=account_id,
        kind__in={kind for kind, _ in names},
        name__in={name for _, name in names},
    )
    found = _read(account_id, rows)
    for key in set(found.keys) - set(names):
        del found.keys[key]
    return found


def keys_of_kind(*, account_id: uuid.UUID, kind: str) -> ReadKeys:
    """Return all keys of a kind, the oldest first. Raises as `keys_named` does."""
    return _read(account_id, Key.objects.filter(keyring=account_id, kind=kind).order_by("pk"))


def _read(account_id: uuid.UUID, rows: QuerySet[Key]) -> ReadKeys:
    # The version first: what is newer than it fails when it is written back.
    ring = (
        Keyring.objects.filter(account=account_id)
        .annotate(now=GreenroomNow())
        .values_list("version", "now")
        .first()
    )
    if ring is None:
        raise NotFound
    version, now = ring
    return ReadKeys(
        version,
        now,
        {
            (row.kind, row.name): KeyText(
                unseal(
                    table=TABLE, pk=f"{account_id}:{row.name}", column=row.kind, sealed=row.sealed
                ),
                row.owner,
            )
            for row in rows
        },
    )


def unread_with(
    *, account_id: uuid.UUID, names: Sequence[str] | None, kind: str, after: int = 0
) -> list[StoredSealed]:
    """Return what was kept unread and has its key now, the oldest first; at most `MOST_AT_ONCE`.

    Args:
        names: Of the keys that are new; None for any that is there.
        kind: Of those keys.
        after: The number of the last one that was looked at.
    """
    rows = Unread.objects.filter(keyring=account_id, pk__gt=after)
    if names is not None:
        rows = rows.filter(key_name__in=names)
    else:
        known = Key.objects.filter(keyring=account_id, kind=kind).values("name")
        rows = rows.filter(key_name__in=known)
    return [
        StoredSealed(
            row.pk, Sealed(row.room_external_id, row.external_id, row.key_name, row.content)
        )
        for row in rows.order_by("pk")[:MOST_AT_ONCE]
    ]
