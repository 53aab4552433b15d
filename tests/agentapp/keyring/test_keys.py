"""What is kept of keys: sealed in their place, bounded, gone with their login."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.db import transaction

from agentapp.foundation import clock
from agentapp.foundation.secrets import SecretUnreadable
from agentapp.identity.models import Account
from agentapp.identity.services import leases
from agentapp.identity.services.leases import HeldAccount
from agentapp.intake.departures import end_login, login_ended
from agentapp.keyring import queries, services
from agentapp.keyring.changes import KeyChanges, KeyText, Sealed
from agentapp.keyring.models import Key, Keyring, Unread
from agentapp.keyring.services import KeysMoved, write_keys
from tests.cast import Cast
from tests.dashboard.pages.test_platforms import make_login


@pytest.fixture
def account(cast: Cast) -> Account:
    account = make_login(cast, cast.ada)
    Keyring.objects.create(account=account, workspace_id=account.workspace_id, device="D")
    return account


@pytest.fixture
def held(account: Account) -> HeldAccount:
    (held,) = leases.take_free(holder="one", platforms=[account.platform])
    return held


def write(held: HeldAccount, *, version: int = 0, **changes: object) -> int:
    with transaction.atomic():
        return write_keys(
            account_id=held.account_id,
            fence=held.fence,
            changes=KeyChanges(version, **changes),  # type: ignore[arg-type]
        )


def texts(held: HeldAccount, kind: str) -> dict[str, str]:
    found = queries.keys_of_kind(account_id=held.account_id, kind=kind).keys
    return {name: key.text for (_, name), key in found.items()}


def unread(*names: str) -> tuple[Sealed, ...]:
    return tuple(Sealed("!room", name, "key", "{}") for name in names)


def test_a_key_is_read_as_it_was_written_and_lies_sealed(held: HeldAccount) -> None:
    assert write(held, put={("olm", "a"): KeyText("secret", "@ann")}) == 1
    assert texts(held, "olm") == {"a": "secret"}
    assert "secret" not in Key.objects.get().sealed
    assert write(held, version=1, put={("olm", "a"): KeyText("new")}) == 2
    assert texts(held, "olm") == {"a": "new"}
    write(held, version=2, dropped=frozenset({("olm", "a")}))
    assert texts(held, "olm") == {}


def test_a_key_that_was_moved_does_not_open(held: HeldAccount) -> None:
    write(held, put={("olm", "a"): KeyText("secret")})
    Key.objects.update(name="b")
    with pytest.raises(SecretUnreadable):
        texts(held, "olm")


@pytest.mark.parametrize("spoil", ["fence", "lease", "version", "off"])
def test_only_who_holds_the_login_and_knows_the_last_change_writes(
    held: HeldAccount, spoil: str
) -> None:
    rows, ring = Account.objects.filter(pk=held.account_id), Keyring.objects
    if spoil == "fence":
        rows.update(fence=held.fence + 1)
    elif spoil == "lease":
        rows.update(lease_until=clock.now() - timedelta(seconds=1))
    elif spoil == "version":
        ring.update(version=1)
    else:
        ring.update(is_on=False)
    with pytest.raises(KeysMoved):
        write(held, put={("olm", "a"): KeyText("x")}, kept=unread("$1"))
    assert not Key.objects.exists()
    assert not Unread.objects.exists()


def test_nobody_can_fill_a_login_with_keys(held: HeldAccount) -> None:
    write(held, put={("olm", "mine"): KeyText("x"), ("olm", "anns"): KeyText("x", "@ann")})
    with mock.patch.object(services, "MOST_OF_OWNER", 3):
        for n in range(5):
            write(held, version=n + 1, put={("olm", f"eve {n}"): KeyText("x", "@eve")})
    assert set(texts(held, "olm")) == {"mine", "anns", "eve 2", "eve 3", "eve 4"}


def test_what_is_unread_is_kept_once_for_a_month_and_not_without_end(held: HeldAccount) -> None:
    write(held, kept=unread("$1", "$2"))
    write(held, version=1, kept=(*unread("$2", "$3"), Sealed("!room", "$4", "key", "x" * 200_000)))
    assert list(names_kept()) == ["$1", "$2", "$3"]
    with mock.patch.object(services, "MOST_UNREAD", 2):
        write(held, version=2, kept=unread("$5"))
    assert list(names_kept()) == ["$3", "$5"]
    with clock.shifted(timedelta(days=31)):
        Account.objects.update(lease_until=clock.now() + timedelta(minutes=1))
        write(held, version=3, kept=unread("$6"))
    assert list(names_kept()) == ["$6"]


def names_kept() -> list[str]:
    return list(Unread.objects.order_by("pk").values_list("external_id", flat=True))


def test_what_was_kept_is_found_by_its_key_in_parts(held: HeldAccount) -> None:
    write(held, kept=unread("$1", "$2", "$3"))
    find = {"account_id": held.account_id, "kind": "inbound"}
    assert queries.unread_with(names=None, **find) == []  # type: ignore[arg-type]
    with mock.patch.object(queries, "MOST_AT_ONCE", 2):
        first = queries.unread_with(names=("key",), **find)  # type: ignore[arg-type]
        rest = queries.unread_with(names=("key",), after=first[-1].number, **find)  # type: ignore[arg-type]
    assert [row.sealed.external_id for row in (*first, *rest)] == ["$1", "$2", "$3"]
    write(held, version=1, put={("inbound", "key"): KeyText("x")}, gone=(("!room", "$1"),))
    found = queries.unread_with(names=None, **find)  # type: ignore[arg-type]
    assert [row.sealed.external_id for row in found] == ["$2", "$3"]
    write(held, version=2, read=(found[0].number,))
    assert names_kept() == ["$3"]


def test_the_keys_go_with_their_login(cast: Cast, held: HeldAccount) -> None:
    write(held, put={("olm", "a"): KeyText("x")}, kept=unread("$1"))
    end_login(account_id=held.account_id, by=cast.root)
    (ending,) = leases.take_free(holder="two", platforms=[held.platform])
    assert login_ended(account_id=held.account_id, fence=ending.fence)
    assert not Keyring.objects.exists()
    assert not Key.objects.exists()
    assert not Unread.objects.exists()
