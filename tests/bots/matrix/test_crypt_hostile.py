"""What strangers and homeservers may send to a device: none of it ends or holds up a sync."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import vodozemac
from hypothesis import HealthCheck, given, settings

from agentapp.identity.services.leases import HeldAccount
from agentapp.keyring.changes import KeyText
from agentapp.keyring.queries import OpenedRing, ReadKeys
from bots.matrix.credentials import Login
from bots.matrix.crypt.device import PICKLE_KEY, Device, upload_of
from bots.matrix.crypt.devices import claimed_key, listed, targets_in
from bots.matrix.crypt.machine import Crypt
from bots.matrix.crypt.making import drawn_keys
from bots.matrix.crypt.megolm import name_of, take_key
from bots.matrix.crypt.olm import Letter, Target, begin, write_letter
from bots.matrix.crypt.ring import INBOUND, OLM, Ring
from bots.matrix.crypt.writing import limits_of
from tests.bots.matrix.test_parse import ODD, SHAPED

ADA, ANN, EVE = "@ada:green.test", "@ann:green.test", "@eve:green.test"
ROOM = "!room:green.test"
MANY = 100_000
NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Record:
    """A record in which one device's keys stand, and nothing else."""

    def __init__(self, keys: dict[tuple[str, str], KeyText]) -> None:
        self.keys = keys

    async def call(self, function: Any) -> Any:
        wanted = function.keywords
        if "kind" in wanted:
            return []
        found = {name: self.keys[name] for name in wanted["names"] if name in self.keys}
        return ReadKeys(1, NOW, found)


def crypt_of(user_id: str, device_id: str) -> Crypt:
    """Return the encryption of a device that was made a moment ago."""
    made = drawn_keys(Login("https://green.test", user_id, device_id, "token"), {})
    record: Any = Record(made.keys)
    account = HeldAccount(uuid.uuid4(), 7, 3, "matrix", user_id, "Somebody", 5)
    ring = Ring(bridge=record, account=account, opened=OpenedRing(device_id, 1))
    nowhere: Any = None
    return Crypt(ring=ring, bridge=record, account=account, server=nowhere)


def device_of(crypt: Crypt) -> Device:
    return crypt._device


def take_in(crypt: Crypt, **parts: object) -> set[str]:
    """Have a device read a part of a sync; return the names of the room keys it got."""

    async def work() -> set[str]:
        return await crypt.reader.take_in(parts)

    return asyncio.run(work())


def letters(*events: object) -> dict[str, object]:
    return {"events": list(events)}


@pytest.fixture
def ada() -> Crypt:
    crypt = crypt_of(ADA, "ADA1")
    take_in(crypt)
    return crypt


@pytest.fixture
def ann(ada: Crypt) -> Crypt:
    """A device that has agreed with Ada's, by one of the keys that Ada's laid down."""
    crypt = crypt_of(ANN, "ANN1")
    take_in(crypt)
    target, key = target_and_key(ada)
    asyncio.run(crypt.ring.load([(OLM, target.curve)]))
    assert begin(device_of(crypt), target, key)
    return crypt


def target_and_key(crypt: Crypt) -> tuple[Target, str]:
    device = device_of(crypt)
    account = device.account()
    shown: Any = upload_of(account, user_id=device.user_id, device_id=device.device_id)
    target = Target(device.user_id, device.device_id, device.curve(), device.ed())
    found = {device.user_id: {device.device_id: shown["one_time_keys"]}}
    return target, claimed_key(target, found)


def room_key(session: vodozemac.GroupSession, **changed: object) -> dict[str, object]:
    return {
        "algorithm": "m.megolm.v1.aes-sha2",
        "room_id": ROOM,
        "session_id": session.session_id,
        "session_key": session.session_key.to_base64(),
        **changed,
    }


def letter_to(ada: Crypt, ann: Crypt, content: dict[str, object], sender: str = ANN) -> Any:
    target, _ = target_and_key(ada)
    sealed = write_letter(device_of(ann), target, "m.room_key", content)
    return {"type": "m.room.encrypted", "sender": sender, "content": sealed}


def said(
    session: vodozemac.GroupSession,
    body: str,
    *,
    sender: str = ANN,
    event_id: str = "$1",
    **room: str,
) -> dict[str, Any]:
    plain = {"type": "m.room.message", "room_id": ROOM, "content": {"body": body}, **room}
    content = {
        "algorithm": "m.megolm.v1.aes-sha2",
        "session_id": session.session_id,
        "ciphertext": session.encrypt(json.dumps(plain).encode()).to_base64(),
    }
    return {
        "type": "m.room.encrypted",
        "sender": sender,
        "event_id": event_id,
        "content": content,
    }


def body_of(crypt: Crypt, event: dict[str, Any], room: str = ROOM) -> str | None:
    async def work() -> Any:
        await crypt.reader.load_for(room, [event])
        return crypt.reader.opened(room, event)

    return asyncio.run(work())["content"].get("body")  # type: ignore[no-any-return]


# -- what is as it should be ----------------------------------------------------------------------


def test_a_room_key_that_its_sender_gave_opens_what_the_sender_says(ada: Crypt, ann: Crypt) -> None:
    session = vodozemac.GroupSession()
    key = letter_to(ada, ann, room_key(session))
    assert take_in(ada, to_device=letters(key)) == {name_of(ROOM, session.session_id)}
    first = said(session, "Hello")
    assert body_of(ada, first) == "Hello"
    assert body_of(ada, first) == "Hello"  # the same event again, as after a restart
    assert body_of(ada, {**first, "event_id": "$2"}) is None
    assert body_of(ada, said(session, "x", sender=EVE, event_id="$3")) is None
    assert body_of(ada, said(session, "x", event_id="$4", room_id="!other")) is None
    assert body_of(ada, said(session, "Again", event_id="$5")) == "Again"


def test_what_was_read_long_ago_is_not_read_as_something_else(ada: Crypt, ann: Crypt) -> None:
    session = vodozemac.GroupSession()
    take_in(ada, to_device=letters(letter_to(ada, ann, room_key(session))))
    events = [said(session, str(n), event_id=f"${n}") for n in range(300)]
    assert [body_of(ada, event) for event in events] == [str(n) for n in range(300)]
    assert body_of(ada, {**events[0], "event_id": "$other"}) is None
    stored: Any = ada.ring.get(INBOUND, name_of(ROOM, session.session_id))
    assert len(stored["seen"]) == 256


# -- letters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"session_id": "of another"},
        {"session_key": "nonsense"},
        {"session_key": 7},
        {"room_id": 7},
        {"algorithm": "m.unheard.of"},
    ],
)
def test_a_room_key_that_is_not_what_it_says_is_left(
    ada: Crypt, ann: Crypt, changed: dict[str, object]
) -> None:
    content = room_key(vodozemac.GroupSession(), **changed)
    assert take_in(ada, to_device=letters(letter_to(ada, ann, content))) == set()


def test_a_letter_in_anothers_name_is_left(ada: Crypt, ann: Crypt) -> None:
    key = letter_to(ada, ann, room_key(vodozemac.GroupSession()), sender=EVE)
    assert take_in(ada, to_device=letters(key)) == set()


def test_a_letter_for_another_is_left(ada: Crypt, ann: Crypt) -> None:
    target, _ = target_and_key(ada)
    for wrong in (
        Target(EVE, target.device_id, target.curve, target.ed),
        Target(target.user_id, target.device_id, target.curve, "x" * 43),
    ):
        sealed = write_letter(
            device_of(ann), wrong, "m.room_key", room_key(vodozemac.GroupSession())
        )
        event = {"type": "m.room.encrypted", "sender": ANN, "content": sealed}
        assert take_in(ada, to_device=letters(event)) == set()


def test_nobody_takes_over_anothers_session(ada: Crypt) -> None:
    session = vodozemac.GroupSession()
    name = name_of(ROOM, session.session_id)
    session.encrypt(b"moved on")
    asyncio.run(ada.ring.load([(INBOUND, name)]))
    assert take_key(ada.ring, Letter("m.room_key", room_key(session), ANN, "c" * 43, "e" * 43))
    earlier = vodozemac.GroupSession.from_pickle(session.pickle(PICKLE_KEY), PICKLE_KEY)
    assert not take_key(ada.ring, Letter("m.room_key", room_key(earlier), EVE, "c" * 43, "e" * 43))
    stored: Any = ada.ring.get(INBOUND, name)
    assert stored["sender"] == ANN


def test_a_letter_that_came_before_is_not_read_twice(ada: Crypt, ann: Crypt) -> None:
    key = letter_to(ada, ann, room_key(vodozemac.GroupSession()))
    assert take_in(ada, to_device=letters(key))
    assert take_in(ada, to_device=letters(key)) == set()


def test_a_first_letter_by_the_key_of_last_resort_is_not_read_twice(ada: Crypt) -> None:
    crypt, device = crypt_of(ANN, "ANN1"), device_of(ada)
    take_in(crypt)
    key = next(iter(device.account().fallback_key.values())).to_base64()  # type: ignore[attr-defined]
    target = Target(ADA, "ADA1", device.curve(), device.ed())
    asyncio.run(crypt.ring.load([(OLM, target.curve)]))
    assert begin(device_of(crypt), target, key)
    letter = letter_to(ada, crypt, room_key(vodozemac.GroupSession()))
    assert take_in(ada, to_device=letters(letter))
    before = ada.ring.get(OLM, device_of(crypt).curve())
    assert take_in(ada, to_device=letters(letter)) == set()
    assert ada.ring.get(OLM, device_of(crypt).curve()) == before


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_letters_and_lists_are_left(ada: Crypt, odd: object) -> None:
    curve = device_of(ada).curve()
    content = {"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": "k" * 43}
    shapes: list[object] = [
        odd,
        {"content": odd, "sender": ANN},
        {"content": {**content, "ciphertext": odd}, "sender": ANN},
        {"content": {**content, "ciphertext": {curve: odd}}, "sender": ANN},
        *(
            {"content": {**content, "ciphertext": {curve: each}}, "sender": ANN}
            for each in ({"type": odd, "body": "AAAA"}, {"type": 0, "body": odd})
        ),
        {"content": {**content, "sender_key": odd, "ciphertext": {}}, "sender": odd},
    ]
    for part in (odd, letters(*shapes)):
        assert take_in(ada, to_device=part) == set()
    assert take_in(ada, device_lists=odd) == set()
    assert take_in(ada, device_lists={"changed": odd, "left": [odd]}) == set()
    counts = {"signed_curve25519": odd}
    take_in(ada, device_one_time_keys_count=odd, device_unused_fallback_key_types=odd)
    take_in(ada, device_one_time_keys_count=counts, device_unused_fallback_key_types=[odd])
    assert len(device_of(ada).account().one_time_keys) <= 50


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=SHAPED, plain=SHAPED)
def test_whatever_is_sent_to_a_device_it_is_passed_over(content: Any, plain: Any) -> None:
    ada = crypt_of(ADA, "ADA1")
    take_in(ada)
    event = {"type": "m.room.encrypted", "sender": ANN, "content": content, "event_id": "$x"}
    assert take_in(ada, to_device=letters(event, content), device_lists=content) == set()
    assert body_of(ada, {**event, "content": content if isinstance(content, dict) else {}}) in (
        None,
        (content or {}).get("body") if isinstance(content, dict) else None,
    )
    listed(ANN, {"D": plain}, None)
    claimed_key(Target(ANN, "D", "c", "e"), plain if isinstance(plain, dict) else {})


def test_a_hundred_thousand_letters_of_nonsense_cost_seconds(ada: Crypt) -> None:
    curve = device_of(ada).curve()
    body = {"type": 0, "body": "AwogAAAA"}
    nonsense = [
        {
            "type": "m.room.encrypted",
            "sender": EVE,
            "content": {
                "algorithm": "m.olm.v1.curve25519-aes-sha2" if n % 2 else "m.unheard.of",
                "sender_key": "k" * 43,
                "ciphertext": {curve: body},
            },
        }
        for n in range(MANY)
    ]
    began = time.process_time()
    assert take_in(ada, to_device={"events": nonsense}) == set()
    assert time.process_time() - began < 30
    assert len(ada.reader.unknown) == 1
    changes = ada.ring.changes()
    assert not changes.put


@pytest.mark.parametrize("odd", [*ODD, float("nan"), float("inf"), -5], ids=repr)
def test_odd_wishes_for_new_keys_are_left(odd: object) -> None:
    found = limits_of({"rotation_period_msgs": odd, "rotation_period_ms": odd})
    assert 1 <= found.messages <= 100
    assert 60 <= found.seconds <= 7 * 24 * 3600


# -- lists of devices -----------------------------------------------------------------------------


def shown_device(crypt: Crypt) -> dict[str, Any]:
    device = device_of(crypt)
    account = device.account()
    body: Any = upload_of(account, user_id=device.user_id, device_id=device.device_id, is_new=True)
    return dict(body["device_keys"])


def test_only_devices_that_sign_their_own_keys_get_anything(ann: Crypt) -> None:
    shown = shown_device(ann)
    spoilt = {**shown, "keys": {**shown["keys"], "curve25519:ANN1": "c" * 43}}
    assert [one.device_id for one in targets_in(ANN, listed(ANN, {"ANN1": shown}, None))] == [
        "ANN1"
    ]
    for wrong in (
        {"ANN1": spoilt},
        {"ANN2": shown},
        {"ANN1": {**shown, "user_id": EVE}},
        {"ANN1": {**shown, "algorithms": []}},
        {"ANN1": {**shown, "signatures": {}}},
    ):
        assert targets_in(ANN, listed(ANN, wrong, None)) == []


def test_another_device_under_a_known_name_gets_nothing(ann: Crypt) -> None:
    before = listed(ANN, {"ANN1": shown_device(ann)}, None)
    impostor = crypt_of(ANN, "ANN1")
    take_in(impostor)
    after = listed(ANN, {"ANN1": shown_device(impostor)}, before)
    assert targets_in(ANN, after) == []
    assert len(targets_in(ANN, listed(ANN, {"ANN1": shown_device(ann)}, after))) == 1


def test_one_time_keys_are_made_when_few_are_left_and_never_more_than_fit(ada: Crypt) -> None:
    device = device_of(ada)
    account = device.account()
    account.mark_keys_as_published()
    device.keep(account)
    ada.reader.has_keys_to_show = False
    take_in(ada, device_one_time_keys_count={"signed_curve25519": 40})
    assert not ada.has_work()
    take_in(ada, device_one_time_keys_count={"signed_curve25519": 3})
    assert len(device.account().one_time_keys) == 47
    take_in(ada, device_one_time_keys_count={})
    assert len(device.account().one_time_keys) == 50
    assert ada.has_work()
    take_in(ada, device_unused_fallback_key_types=[])
    assert device.account().fallback_key  # type: ignore[attr-defined]
