"""A login's page about encrypted rooms: who may use it, what it keeps, what it says."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from agentapp.events.models import Event
from agentapp.foundation.errors import Invalid, Unavailable
from agentapp.identity.models import Account
from agentapp.keyring import makers
from agentapp.keyring.changes import KeyName, KeyText, MadeKeys
from agentapp.keyring.models import Key, Keyring, Unread
from tests.cast import Cast
from tests.dashboard.pages.test_platforms import make_login

PHRASE = "correct horse battery"
ACTS = ("encryption_on", "encryption_off", "encryption_export", "encryption_import")


class LockBox:
    """A platform's way with keys, whose answers the test decides."""

    code = "owlpost"
    own: tuple[KeyName, ...] = (("account", ""),)
    lasting: tuple[str, ...] = ("inbound",)
    portable = "inbound"

    def __init__(self) -> None:
        self.device, self.drawn = "OWL1", 0
        self.refuses: Exception | None = None
        self.passwords: list[str] = []

    def draw(self, secret: str, *, earlier: Mapping[KeyName, KeyText]) -> MadeKeys:
        known = earlier.get(("account", ""))
        if known is None or json.loads(known.text)["device"] != self.device:
            self.drawn += 1
            known = KeyText(json.dumps({"device": self.device, "n": self.drawn}))
        return MadeKeys(self.device, f"print{self.drawn}", {("account", ""): known})

    def show(self, secret: str, made: MadeKeys, *, password: str) -> MadeKeys:
        self.passwords.append(password)
        if self.refuses:
            raise self.refuses
        return made

    def export(self, keys: Mapping[KeyName, KeyText], *, passphrase: str) -> bytes:
        return json.dumps({name: key.text for (_, name), key in keys.items()}).encode()

    def read_export(
        self, content: bytes, *, passphrase: str, known: Mapping[KeyName, KeyText]
    ) -> dict[KeyName, KeyText]:
        if passphrase != PHRASE:
            raise Invalid("The phrase is wrong.")
        found = {("inbound", name): KeyText(text) for name, text in json.loads(content).items()}
        return {key: value for key, value in found.items() if key not in known}


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> LockBox:
    box = LockBox()
    monkeypatch.setattr(makers, "_KNOWN", {box.code: box})
    return box


@pytest.fixture
def login(cast: Cast, box: LockBox) -> Account:
    return make_login(cast, cast.ada)


def press(browser: Client, act: str, login: Account, **fields: object) -> str:
    answer = browser.post(reverse(act, args=[login.pk]), fields, follow=True)
    return answer.content.decode()


def events_of(login: Account) -> list[str]:
    rows = Event.objects.filter(subject_id=str(login.pk), type__startswith="login.encryption")
    return [type_.partition("_")[2] for type_ in rows.order_by("pk").values_list("type", flat=True)]


def test_it_is_off_until_the_owner_turns_it_on(root: Client, login: Account) -> None:
    assert "Does not read encrypted rooms" in root.get(reverse("platforms")).content.decode()
    before = login.fence
    shown = press(root, "encryption_on", login)
    assert "It reads and writes encrypted rooms" in shown
    assert "prin t1" in shown
    assert "Reads encrypted rooms" in root.get(reverse("platforms")).content.decode()
    login.refresh_from_db()
    assert login.fence > before  # whoever runs it begins anew, with keys
    press(root, "encryption_off", login)
    assert not Keyring.objects.get().is_on
    assert events_of(login) == ["on", "off"]


def test_keys_lie_sealed(root: Client, login: Account) -> None:
    press(root, "encryption_on", login)
    assert "device" not in Key.objects.get().sealed


def test_what_was_drawn_before_an_end_in_between_is_shown_by_the_next_press(
    root: Client, login: Account, box: LockBox
) -> None:
    box.refuses = Unavailable("It is asleep.")
    assert "It is asleep." in press(root, "encryption_on", login, password="pw")
    assert not Keyring.objects.get().is_on
    assert events_of(login) == []
    box.refuses = None
    press(root, "encryption_on", login)
    assert (box.drawn, box.passwords) == (1, ["pw", ""])
    assert Keyring.objects.get().is_on


def test_a_new_device_gets_new_keys_and_keeps_those_of_rooms(
    root: Client, login: Account, box: LockBox
) -> None:
    press(root, "encryption_on", login)
    press(root, "encryption_import", login, file=as_file(b'{"!r 1": "k"}'), passphrase=PHRASE)
    Key.objects.create(
        keyring_id=login.pk, kind="olm", name="x", sealed="", changed_at=login.created_at
    )
    press(root, "encryption_off", login)
    box.device = "OWL2"
    press(root, "encryption_on", login)
    assert Keyring.objects.get().device == "OWL2"
    assert set(Key.objects.values_list("kind", flat=True)) == {"account", "inbound"}
    assert box.drawn == 2


def as_file(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("keys.txt", content)


def test_room_keys_go_out_and_come_in(root: Client, login: Account) -> None:
    press(root, "encryption_on", login)
    assert "at least 12" in press(root, "encryption_export", login, passphrase="short")
    wrong = press(root, "encryption_import", login, file=as_file(b"{}"), passphrase="nonsense")
    assert "The phrase is wrong." in wrong
    shown = press(
        root, "encryption_import", login, file=as_file(b'{"!r 1": "k"}'), passphrase=PHRASE
    )
    assert "1 key is new here" in shown
    answer = root.post(reverse("encryption_export", args=[login.pk]), {"passphrase": PHRASE})
    assert json.loads(answer.content) == {"!r 1": "k"}
    assert (answer["Cache-Control"], answer["Content-Type"]) == (
        "no-store",
        "text/plain; charset=us-ascii",
    )
    assert events_of(login) == ["on", "imported", "exported"]


def test_what_could_not_be_read_is_counted(root: Client, login: Account) -> None:
    press(root, "encryption_on", login)
    Unread.objects.bulk_create(
        Unread(keyring_id=login.pk, room_external_id="!r", external_id=f"${n}", key_name="k")
        for n in range(3)
    )
    for name, args in (("platforms", []), ("login_encryption", [login.pk])):
        shown = root.get(reverse(name, args=args)).content.decode()
        assert "3 messages" in shown
        assert "could not be read yet" in shown


def test_nobody_else_sees_or_turns_anything(
    login: Account, sam: Client, olga: Client, client: Client, box: LockBox
) -> None:
    for browser in (sam, olga):
        assert browser.get(reverse("login_encryption", args=[login.pk])).status_code == 404
        for act in ACTS:
            fields = {"passphrase": PHRASE, "file": as_file(b"{}")}
            assert browser.post(reverse(act, args=[login.pk]), fields).status_code == 404
    assert client.post(reverse("encryption_on", args=[login.pk])).status_code == 302
    assert not Keyring.objects.exists()
    assert box.drawn == 0


def test_where_a_platform_has_none_there_is_no_page(
    root: Client, login: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(makers, "_KNOWN", {})
    assert "encrypted rooms" not in root.get(reverse("platforms")).content.decode()
    assert root.get(reverse("login_encryption", args=[login.pk])).status_code == 404
