"""Turning encryption on at a real homeserver, and room keys as files that other apps take."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import nio
import pytest

from agentapp.identity.services.logins import add_login
from agentapp.keyring import turning
from agentapp.keyring.models import Keyring
from bots.bridge import Bridge
from bots.matrix.credentials import Login
from bots.matrix.crypt import export as export_file
from bots.matrix.crypt.export import FOOTER, HEADER, NotAnExport, WrongPhrase, locked, unlocked
from bots.matrix.crypt.making import DeviceTaken, IdentityTaken, PasswordWrong
from bots.matrix.crypt.signing import to_bytes, to_text
from bots.matrix.login import packed
from tests.bots.matrix.peers import encrypted_room, encrypting, peer, unread_of
from tests.bots.matrix.world import Member, connected, matrix_host, record_of
from tests.bots.places import eventually, run
from tests.cast import Cast
from tests.fakes.synapse import Synapse

PHRASE = "correct horse battery"


def identity_of(member: Member) -> object:
    """Return the first key of somebody's identity, as the homeserver shows it."""
    found: Any = member.call("POST", "/keys/query", {"device_keys": {member.user_id: []}})
    return found["master_keys"][member.user_id]["keys"]


def test_turned_on_twice_it_is_the_same_device(live_cast: Cast, synapse: Synapse) -> None:
    ada = Member(synapse, "ada")
    account = encrypting(live_cast, synapse, ada)
    first = Keyring.objects.get(account=account)
    before = identity_of(ada)
    turning.turn_off(account_id=account.pk, by=live_cast.root)
    turning.turn_on(account_id=account.pk, password="", by=live_cast.root)
    again = Keyring.objects.get(account=account)
    assert (again.device, again.fingerprint) == (ada.user.device_id, first.fingerprint)
    assert identity_of(ada) == before


def test_a_new_device_is_signed_by_the_same_identity(live_cast: Cast, synapse: Synapse) -> None:
    ada = Member(synapse, "ada")
    account = encrypting(live_cast, synapse, ada)
    before = identity_of(ada)
    login = new_device(synapse, ada)
    take_login(live_cast, login)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await eventually(bridge, lambda: Keyring.objects.get(account=account).is_on, False)

    run(work)
    turning.turn_on(account_id=account.pk, password="", by=live_cast.root)
    assert Keyring.objects.get(account=account).device == login.device_id
    assert identity_of(ada) == before


def take_login(cast: Cast, login: Login) -> None:
    add_login(
        agent_id=cast.ada.pk,
        platform="matrix",
        external_id=login.user_id,
        name="Ada",
        secret=packed(login),
        token=login.token,
        by=cast.root,
    )


def test_an_identity_of_another_app_is_replaced_only_with_the_password(
    live_cast: Cast, synapse: Synapse
) -> None:
    ada = Member(synapse, "ada")
    account = encrypting(live_cast, synapse, ada)
    Keyring.objects.all().delete()  # whoever made these, they are not known here
    turn_on = partial(turning.turn_on, account_id=account.pk, by=live_cast.root)
    with pytest.raises(DeviceTaken):
        turn_on(password="")
    take_login(live_cast, new_device(synapse, ada))
    with pytest.raises(IdentityTaken):
        turn_on(password="")
    with pytest.raises(PasswordWrong):
        turn_on(password="nonsense")
    assert not Keyring.objects.get().is_on
    turn_on(password=ada.user.password)
    assert Keyring.objects.get().is_on


def test_another_app_opens_with_the_exported_keys_what_the_agent_read(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    account = encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)
    ann_elsewhere = tmp_path / "elsewhere"
    ann_elsewhere.mkdir()

    async def work(bridge: Bridge) -> None:
        async with peer(synapse, ann, tmp_path / "ann") as app:
            async with matrix_host(bridge):
                await connected(bridge, live_cast.ada)
                await app.says(room, "Hello")
                await eventually(bridge, partial(record_of, room), ["Hello"])
                await app.keeps_key_back(room)
                await app.says(room, "A secret")
                await eventually(bridge, partial(unread_of, account), 1)
            file = tmp_path / "exported"
            export = partial(turning.export_keys, account_id=account.pk, by=live_cast.root)
            with mock.patch.object(export_file, "ROUNDS", 1000):  # others take long for each
                file.write_bytes(await bridge.call(partial(export, passphrase=PHRASE)))
            await opens_with(synapse, ann, file, ann_elsewhere, room)
            await app.client.export_keys(str(tmp_path / "own"), PHRASE, count=1000)
            content = (tmp_path / "own").read_bytes()
            taken = partial(
                turning.import_keys, account_id=account.pk, content=content, by=live_cast.root
            )
            with pytest.raises(WrongPhrase):
                await bridge.call(partial(taken, passphrase="nonsense nonsense"))
            assert await bridge.call(partial(taken, passphrase=PHRASE)) == 1
            async with matrix_host(bridge):
                await eventually(bridge, partial(record_of, room), ["Hello", "A secret"])

    run(work)


async def opens_with(synapse: Synapse, ann: Member, file: Path, folder: Path, room: str) -> None:
    """See that an app on a new device reads with a file of keys what was said before it came."""
    login = new_device(synapse, ann)
    config = nio.AsyncClientConfig(encryption_enabled=True)
    client = nio.AsyncClient(
        synapse.url, ann.user_id, login.device_id, store_path=str(folder), config=config
    )
    try:
        client.restore_login(ann.user_id, login.device_id, login.token)
        await client.import_keys(str(file), PHRASE)
        await client.sync(timeout=0, full_state=True)
        answer = await client.room_messages(room, start="", limit=50)
        bodies = [e.body for e in answer.chunk if isinstance(e, nio.RoomMessageText)]
        assert bodies == ["Hello"]
    finally:
        await client.close()


def new_device(synapse: Synapse, member: Member) -> Login:
    """Log somebody in once more."""
    who = {"type": "m.id.user", "user": member.user_id}
    body = {"type": "m.login.password", "identifier": who, "password": member.user.password}
    found = member.call("POST", "/login", body)
    token = str(found["access_token"])
    return Login(synapse.url, member.user_id, str(found["device_id"]), token)


def test_the_file_is_what_other_apps_write() -> None:
    theirs = nio.crypto.key_export.encrypt(b"[]", PHRASE, count=1000)
    whole = "\n".join([HEADER, theirs, FOOTER]).encode()
    assert unlocked(whole, PHRASE) == b"[]"
    ours = locked(b"[1]", PHRASE, rounds=1000).decode().split("\n")
    assert nio.crypto.key_export.decrypt("".join(ours[1:-2]), PHRASE) == b"[1]"


@pytest.mark.parametrize(
    "content", [b"", b"hello", HEADER.encode(), f"{HEADER}\nAAAA\n{FOOTER}".encode(), b"\xff" * 99]
)
def test_what_is_no_file_of_keys_is_refused(content: bytes) -> None:
    with pytest.raises(NotAnExport):
        unlocked(content, PHRASE)


def test_a_changed_file_and_one_that_costs_too_much_are_refused() -> None:
    content = bytearray(locked(b"[]", PHRASE, rounds=10))
    content[60] = ord("A") if content[60] != ord("A") else ord("B")
    with pytest.raises((WrongPhrase, NotAnExport)):
        unlocked(bytes(content), PHRASE)
    endless = nio.crypto.key_export.encrypt(b"[]", PHRASE, count=10)
    raw = bytearray(to_bytes(endless))
    raw[33:37] = b"\xff" * 4
    with pytest.raises(NotAnExport):
        unlocked(f"{HEADER}\n{to_text(bytes(raw))}\n{FOOTER}".encode(), PHRASE)
