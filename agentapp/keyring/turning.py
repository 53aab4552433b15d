"""An owner turns a login's encryption on or off, takes its room keys along, or brings some."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from agentapp.foundation.database import refuse_open_transaction, released_connection
from agentapp.foundation.errors import Conflict, Invalid
from agentapp.identity.models import Account, User
from agentapp.identity.services.logins import managed_login, try_again
from agentapp.identity.services.opening import open_login
from agentapp.keyring import queries
from agentapp.keyring.changes import KeyName, KeyText, MadeKeys
from agentapp.keyring.makers import KeyMaker, maker_for
from agentapp.keyring.models import Key, Keyring
from agentapp.keyring.services import put_keys, record_encryption

LEAST_PHRASE = 12  # characters
MOST_IMPORT = 20 * 1024 * 1024  # bytes
MOST_KEYS = 50_000  # of one file


class NotOn(Conflict):
    """Encryption is not turned on for this login."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A login that somebody may manage, and how its platform makes keys."""

    account: Account
    maker: KeyMaker
    secret: str


def turn_on(*, account_id: uuid.UUID, password: str, by: User) -> Keyring:
    """Make keys for a login and have its platform show them; from then on it reads with them.

    The keys are stored before anything is shown. So an end in between leaves nothing behind that
    nobody has the keys of; pressing again goes on with the same.

    Calls: the platform. Writes: Keyring, Key, Account (run anew), Event `login.encryption_on`.

    Raises:
        NotFound, Refused: No such login, or the user may not manage its agent.
        AgentError: As the platform says. The login then goes on without encryption.
    """
    refuse_open_transaction()
    opened = _opened(account_id, by)
    earlier = _earlier(account_id, opened.maker)
    drawn = opened.maker.draw(opened.secret, earlier=earlier)
    _keep_drawn(opened, drawn)
    with released_connection():
        shown = opened.maker.show(opened.secret, drawn, password=password)
    return _turned(account_id, shown, by)


@transaction.atomic
def _keep_drawn(opened: _Opened, drawn: MadeKeys) -> None:
    account = opened.account
    ring, _ = Keyring.objects.get_or_create(
        account=account,
        defaults={
            "workspace_id": account.workspace_id,
            "is_on": False,
            "device": drawn.device,
            "fingerprint": drawn.fingerprint,
        },
    )
    if ring.is_on:
        raise Conflict("Encryption is turned on already.")
    # What was agreed on before may have moved on unseen: while it was off, or since a backup.
    Key.objects.filter(keyring=ring).exclude(kind__in=opened.maker.lasting).delete()
    put_keys(account_id=account.pk, keys=drawn.keys)
    Keyring.objects.filter(pk=ring.pk).update(
        device=drawn.device, fingerprint=drawn.fingerprint, version=F("version") + 1
    )


@transaction.atomic
def _turned(account_id: uuid.UUID, shown: MadeKeys, by: User) -> Keyring:
    account = managed_login(account_id, by)
    put_keys(account_id=account_id, keys=shown.keys)
    Keyring.objects.filter(account=account).update(is_on=True, version=F("version") + 1)
    record_encryption("on", account, by, device=shown.device)
    try_again(account_id=account_id, by=by)
    return Keyring.objects.get(account=account)


@transaction.atomic
def turn_off(*, account_id: uuid.UUID, by: User) -> None:
    """Have a login no longer read or write with its keys, which stay for another time.

    Writes: Keyring, Account (run anew), Event `login.encryption_off`.
    """
    account = managed_login(account_id, by)
    if Keyring.objects.filter(account=account, is_on=True).update(
        is_on=False, version=F("version") + 1
    ):
        record_encryption("off", account, by)
        try_again(account_id=account_id, by=by)


def export_keys(*, account_id: uuid.UUID, passphrase: str, by: User) -> bytes:
    """Return the keys of the rooms that a login can read, as a file locked by a phrase.

    Writes: Event `login.encryption_exported`.

    Raises:
        NotOn: There are none. Invalid: The phrase is too short.
    """
    _check_phrase(passphrase)
    opened = _opened(account_id, by)
    _require_ring(account_id)
    keys = queries.keys_of_kind(account_id=account_id, kind=opened.maker.portable).keys
    content = opened.maker.export(keys, passphrase=passphrase)
    with transaction.atomic():
        record_encryption("exported", managed_login(account_id, by), by, keys=len(keys))
    return content


def import_keys(*, account_id: uuid.UUID, content: bytes, passphrase: str, by: User) -> int:
    """Take in the room keys of such a file; return how many were new here.

    Writes: Key, Keyring, Account (run anew), Event `login.encryption_imported`.

    Raises:
        NotOn: Encryption is off. Invalid: No such file, too large, or the phrase is wrong.
    """
    if len(content) > MOST_IMPORT:
        raise Invalid("This file is larger than room keys can be.")
    opened = _opened(account_id, by)
    _require_ring(account_id)
    known = queries.keys_of_kind(account_id=account_id, kind=opened.maker.portable)
    found = opened.maker.read_export(content, passphrase=passphrase, known=known.keys)
    if len(found) > MOST_KEYS:
        raise Invalid("There are more keys in this file than one login can use.")
    with transaction.atomic():
        account = managed_login(account_id, by)
        moved = Keyring.objects.filter(account=account, version=known.version)
        if not moved.update(version=known.version + 1):
            raise Conflict("The login read something at this moment. Try again.")
        put_keys(account_id=account_id, keys=found)
        record_encryption("imported", account, by, keys=len(found))
        try_again(account_id=account_id, by=by)
    return len(found)


def _opened(account_id: uuid.UUID, by: User) -> _Opened:
    with transaction.atomic():
        account = managed_login(account_id, by)
    if account.state != Account.State.ON:
        raise Conflict("This login is no longer there.")
    return _Opened(account, maker_for(account.platform), open_login(account_id=account_id).secret)


def _earlier(account_id: uuid.UUID, maker: KeyMaker) -> dict[KeyName, KeyText]:
    if not Keyring.objects.filter(account=account_id).exists():
        return {}
    return queries.keys_named(account_id=account_id, names=maker.own).keys


def _require_ring(account_id: uuid.UUID) -> None:
    if not Keyring.objects.filter(account=account_id, is_on=True).exists():
        raise NotOn


def _check_phrase(passphrase: str) -> None:
    if len(passphrase) < LEAST_PHRASE:
        raise Invalid(f"Choose a phrase of at least {LEAST_PHRASE} characters.")
