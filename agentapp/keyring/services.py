"""Writes of keys: only by whoever holds the login, only onto what it worked from."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F

from agentapp.events import services as events
from agentapp.foundation.clock import GreenroomNow
from agentapp.foundation.errors import Conflict
from agentapp.foundation.secrets import seal
from agentapp.identity.models import Account, User
from agentapp.keyring.changes import KeyChanges, KeyName, KeyText, Sealed
from agentapp.keyring.models import Key, Keyring, Unread

TABLE = "agentapp_key"
MOST_OF_OWNER = 2_000  # keys of one kind that one handle can leave here
MOST_UNREAD = 5_000  # of one login; the oldest go first
MOST_CONTENT = 100_000  # characters of something unread
UNREAD_FOR = timedelta(days=30)

_PUT = """
INSERT INTO agentapp_key (keyring_id, kind, name, owner, sealed, changed_at)
SELECT %(keyring)s, kind, name, owner, sealed, greenroom_now()
FROM unnest(%(kinds)s::text[], %(names)s::text[], %(owners)s::text[], %(sealed)s::text[])
    AS new(kind, name, owner, sealed)
ON CONFLICT (keyring_id, kind, name) DO UPDATE
SET sealed = EXCLUDED.sealed, owner = EXCLUDED.owner, changed_at = EXCLUDED.changed_at
"""
_TRIM = """
DELETE FROM agentapp_key WHERE id IN (
    SELECT id FROM agentapp_key WHERE keyring_id = %(keyring)s AND kind = %(kind)s
        AND owner = %(owner)s
    ORDER BY changed_at DESC, id DESC OFFSET %(most)s
)
"""


class KeysMoved(Conflict):
    """Another process runs this login by now, or its keys were changed on its page."""


def write_keys(*, account_id: uuid.UUID, fence: int, changes: KeyChanges) -> int:
    """Store changes of a login's keys, inside the caller's transaction; return the new version.

    Writes: Keyring (version), Key, Unread.

    Raises:
        KeysMoved: The fence or the lease is gone, or the keys are no longer what was worked from.
    """
    held = Account.objects.filter(pk=account_id, fence=fence, lease_until__gt=GreenroomNow())
    moved = Keyring.objects.filter(
        account_id=account_id,
        version=changes.version,
        is_on=True,
        account_id__in=held.select_for_update(no_key=True).values("pk"),
    ).update(version=changes.version + 1)
    if not moved:
        raise KeysMoved
    put_keys(account_id=account_id, keys=changes.put)
    for kind, name in changes.dropped:
        Key.objects.filter(keyring=account_id, kind=kind, name=name).delete()
    if changes.read:
        Unread.objects.filter(keyring=account_id, pk__in=changes.read).delete()
    _keep_unread(account_id, changes.kept)
    for room, event in changes.gone:
        Unread.objects.filter(keyring=account_id, room_external_id=room, external_id=event).delete()
    return changes.version + 1


def put_keys(*, account_id: uuid.UUID, keys: Mapping[KeyName, KeyText]) -> None:
    """Seal keys and store them; each handle keeps only its newest ones."""
    if not keys:
        return
    rows = [
        (kind, name, value.owner, sealed_key(account_id, kind, name, value.text))
        for (kind, name), value in keys.items()
    ]
    kinds, names, owners, sealed = zip(*rows, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            _PUT,
            {
                "keyring": account_id,
                "kinds": list(kinds),
                "names": list(names),
                "owners": list(owners),
                "sealed": list(sealed),
            },
        )
        for kind, owner in _strangers(keys):
            cursor.execute(
                _TRIM,
                {"keyring": account_id, "kind": kind, "owner": owner, "most": MOST_OF_OWNER},
            )


def _strangers(keys: Mapping[KeyName, KeyText]) -> Iterable[tuple[str, str]]:
    return {(kind, value.owner) for (kind, _), value in keys.items() if value.owner}


def sealed_key(account_id: uuid.UUID, kind: str, name: str, text: str) -> str:
    """Return a key sealed for exactly its place."""
    return seal(table=TABLE, pk=f"{account_id}:{name}", column=kind, text=text)


def _keep_unread(account_id: uuid.UUID, kept: tuple[Sealed, ...]) -> None:
    if not kept:
        return
    Unread.objects.bulk_create(
        (
            Unread(
                keyring_id=account_id,
                room_external_id=one.room_external_id,
                external_id=one.external_id,
                key_name=one.key_name,
                content=one.content,
            )
            for one in kept
            if len(one.content) <= MOST_CONTENT
        ),
        ignore_conflicts=True,
    )
    Unread.objects.filter(keyring=account_id, created_at__lt=GreenroomNow() - UNREAD_FOR).delete()
    rows = Unread.objects.filter(keyring=account_id).order_by("-pk")
    beyond = rows.values_list("pk", flat=True)[MOST_UNREAD:].first()
    if beyond is not None:
        Unread.objects.filter(keyring=account_id, pk__lte=beyond).delete()


@transaction.atomic
def device_changed(*, account_id: uuid.UUID, fence: int) -> bool:
    """Turn encryption off for a login that is another device by now: its keys were the old one's.

    Writes: Keyring, Event `login.encryption_off`. Returns False under a fence that is
    gone, or where it is off already.
    """
    account = Account.objects.select_related("agent").filter(pk=account_id, fence=fence).first()
    if account is None or not Keyring.objects.filter(account=account, is_on=True).update(
        is_on=False, version=F("version") + 1
    ):
        return False
    record_encryption("off", account, None, reason="device")
    return True


def drop_keys(*, account_id: uuid.UUID) -> None:
    """Forget all keys of a login that has ended, inside the caller's transaction."""
    Keyring.objects.filter(account=account_id).delete()


def record_encryption(what: str, account: Account, by: User | None, **payload: object) -> None:
    """Write what happened to a login's encryption: on, off, exported or imported."""
    events.record(
        type=f"login.encryption_{what}",
        subject_kind="account",
        subject_id=account.pk,
        workspace_id=account.workspace_id,
        agent_id=account.agent_id,
        actor_id=by.pk if by else None,
        payload={"login": account.external_id, **payload},
    )
