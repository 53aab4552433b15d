"""Kills and takeovers of the process that holds a device's keys; another app tells what arrived."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
from django.db import connection, transaction

from agentapp.drafts.models import Outbound
from agentapp.foundation.envelope import Outgoing
from agentapp.identity.models import Account
from agentapp.identity.services import leases
from agentapp.identity.services.leases import HeldAccount
from agentapp.keyring.changes import KeyChanges, KeyText
from agentapp.keyring.models import Key, Keyring
from agentapp.keyring.services import KeysMoved, write_keys
from bots.bridge import Bridge
from bots.connector import NotSent
from bots.matrix import sealing
from bots.matrix.client import MatrixConnector
from tests.bots.matrix.peers import Peer, encrypted_room, encrypting, peer, session_ids
from tests.bots.matrix.world import Member, answers, matrix_host, record_of
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse
from tests.faults.victims import Nursery, nursery

READING = ("batch.written", "batch.committed")
WRITING = ("keys.written", "keys.sent", "ciphertext.ready", "piece.left", "piece.marked")
SECONDS = 20.0  # that a victim gets to reach its point
CALM_SECONDS = 3.0  # for the first sync, or for what waits
LEASES_PASS = 90.0  # seconds; the longest wait after a failed attempt as well


@pytest.fixture(autouse=True)
def clock_as_it_was(live_cast: Cast) -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("UPDATE greenroom_clock SET shift = '0'")


def let_leases_pass() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE greenroom_clock SET shift = shift + make_interval(secs => %s)", [LEASES_PASS]
        )


@dataclass
class Storm:
    """Ann talks with Ada in a room whose key is new with each message, while Ada's host dies."""

    cast: Cast
    room: str
    ann: Member
    ada: Member
    said: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)

    async def rage(
        self, bridge: Bridge, app: Peer, victims: Nursery, points: tuple[str, ...]
    ) -> None:
        await bridge.call(self.serve, victims, "")
        for n, point in enumerate(points):
            self.said.append(f"question {n}")
            await app.says(self.room, self.said[-1])
            if point not in READING:
                self.answered.append(f"answer {n}")
                await bridge.call(answers, self.cast.ada, self.room, self.answered[-1])
            await bridge.call(self.serve, victims, point)
        self.answered.append("the end")
        last = await bridge.call(answers, self.cast.ada, self.room, "the end")
        async with matrix_host(bridge):
            await eventually(bridge, partial(status_of, last), "published", seconds=30)
            await eventually(bridge, self.heard_by_ada, self.said, seconds=30)

    def serve(self, victims: Nursery, point: str) -> None:
        """Have a process serve the login until it dies at a point, or for a while."""
        seconds = SECONDS if point else CALM_SECONDS
        ended = victims.run("serve", point=point, seconds=seconds)
        assert not ended.failed
        assert ended.killed == bool(point), point
        let_leases_pass()
        # After each failure a piece waits longer; no test does.
        Outbound.objects.filter(attempts__gt=1).update(attempts=1)

    def heard_by_ada(self) -> list[str]:
        return [text for text in record_of(self.room) if text in set(self.said)]


@pytest.fixture
def storm(live_cast: Cast, synapse: Synapse) -> Storm:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)
    each = {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 1}
    ann.sets(room, "m.room.encryption", each)
    return Storm(live_cast, room, ann, ada)


def test_whatever_dies_where_everything_is_read_once_and_answered_once(
    storm: Storm, synapse: Synapse, tmp_path: Path
) -> None:
    async def work(bridge: Bridge) -> None:
        async with peer(synapse, storm.ann, tmp_path / "ann") as app:
            with nursery(log=tmp_path / "log") as victims:
                await storm.rage(bridge, app, victims, (*READING, *WRITING))
            await app.hears(storm.ada.user_id, *storm.answered)
            assert app.unread() == []

    run(work)
    assert len(set(session_ids(storm.ann.reads(storm.room), storm.ada.user_id))) == len(
        storm.answered
    )


def test_with_ratchets_that_are_not_kept_the_same_storm_shows_harm(
    storm: Storm, synapse: Synapse, tmp_path: Path
) -> None:
    usual = {"algorithm": "m.megolm.v1.aes-sha2"}
    storm.ann.sets(storm.room, "m.room.encryption", usual)

    async def work(bridge: Bridge) -> list[str]:
        async with peer(synapse, storm.ann, tmp_path / "ann") as app:
            with nursery(log=tmp_path / "log", mutation="ratchets_not_kept") as victims:
                await storm.rage(bridge, app, victims, ("piece.marked",))
            await app.hears(storm.ada.user_id, storm.answered[0])
            return [event.body for event in app.heard(storm.ada.user_id)]

    assert run(work) != storm.answered  # its last words took a place that was taken


def test_another_process_goes_on_with_the_same_keys_and_the_first_can_write_none(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    account = encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)

    async def work(bridge: Bridge) -> None:
        async with peer(synapse, ann, tmp_path / "ann") as app:
            for n in range(2):
                async with matrix_host(bridge):
                    await app.says(room, f"question {n}")
                    await eventually(bridge, lambda n=n: record_of(room)[-1:], [f"question {n}"])
                    draft = await bridge.call(answers, live_cast.ada, room, f"answer {n}")
                    await eventually(bridge, partial(status_of, draft), "published")
            await app.hears(ada.user_id, "answer 0", "answer 1")

    run(work)
    first, second = session_ids(ann.reads(room), ada.user_id)
    assert first == second
    stale_keys_are_refused(account)


def stale_keys_are_refused(account: Account) -> None:
    """Under an older fence, after the lease, or from an older version nothing is written."""
    (held,) = leases.take_free(holder="one", platforms=["matrix"])
    version = Keyring.objects.get(account=account).version
    before = set(Key.objects.values_list("kind", "name", "sealed"))
    changes = KeyChanges(version, put={("outbound", "!room"): KeyText("{}")})
    older = KeyChanges(version - 1, put=changes.put)
    with transaction.atomic(), pytest.raises(KeysMoved):
        write_keys(account_id=account.pk, fence=held.fence, changes=older)
    with transaction.atomic(), pytest.raises(KeysMoved):
        write_keys(account_id=account.pk, fence=held.fence - 1, changes=changes)
    let_leases_pass()
    with transaction.atomic(), pytest.raises(KeysMoved):
        write_keys(account_id=account.pk, fence=held.fence, changes=changes)
    assert set(Key.objects.values_list("kind", "name", "sealed")) == before
    assert "pickle" not in str(before)


def test_a_process_that_no_longer_holds_the_login_writes_into_no_encrypted_room(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)

    async def work(bridge: Bridge) -> None:
        (held,) = await bridge.call(partial(leases.take_free, holder="one", platforms=["matrix"]))
        connector = MatrixConnector(held, bridge)
        try:
            await connector.verify()
            await waits_for_a_sync(connector, piece_for(held, room, "first"))
            assert (await connector.send(piece_for(held, room, "first"))).external_id
            await bridge.call(let_leases_pass)
            await bridge.call(partial(leases.take_free, holder="two", platforms=["matrix"]))
            with pytest.raises(NotSent):
                await connector.send(piece_for(held, room, "second"))
        finally:
            await connector.stop()

    run(work)
    assert len(session_ids(ann.reads(room), ada.user_id)) == 1


async def waits_for_a_sync(connector: MatrixConnector, piece: Outgoing) -> None:
    """While a sync changes the keys nothing is written with them, and that is known in time."""
    crypt = connector._crypt
    assert crypt is not None
    with mock.patch.object(sealing, "SEALING_SECONDS", 0.2):
        async with crypt.turn():
            with pytest.raises(NotSent):
                await connector.send(piece)


def piece_for(held: HeldAccount, room: str, key: str) -> Outgoing:
    return Outgoing(
        outbound_id=1,
        workspace_id=held.workspace_id,
        account_id=str(held.account_id),
        author_external_id=held.external_id,
        platform="matrix",
        room_external_id=room,
        kind="message",
        text=key,
        reply_to="",
        emoji="",
        dedupe_key=key,
        deadline=time.monotonic() + 10,
    )
