"""Keys of rooms come late, grow old and are lost; what is said is read and written all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import nio
import pytest
from django.db import connection, transaction
from django.db.models import F

from agentapp.conversation.models import Message
from agentapp.identity.models import Account, Agent
from agentapp.intake.models import Lane
from bots.bridge import Bridge
from tests.bots.matrix.peers import (
    Peer,
    encrypted_room,
    encrypting,
    peer,
    session_ids,
    unread_of,
)
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    matrix_host,
    record_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse


def test_a_room_key_that_comes_late_opens_what_came_before_it_once_and_in_order(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    account = encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)

    async def work(bridge: Bridge) -> None:
        async with peer(synapse, ann, tmp_path / "ann") as app:
            async with matrix_host(bridge):
                await connected(bridge, live_cast.ada)
                key = await app.keeps_key_back(room)
                for word in ("one", "two", "three", "a secret"):
                    last = await app.says(room, word)
                await eventually(bridge, partial(unread_of, account), 4)
                assert await bridge.call(partial(record_of, room)) == []
                assert not await bridge.call(is_wanted, live_cast.ada)
                await bridge.call(ann.redacts, room, last)
                await eventually(bridge, partial(unread_of, account), 3)
            await app.gives(ada.user_id, key)  # while nobody listens
            async with matrix_host(bridge):
                await eventually(bridge, partial(record_of, room), ["one", "two", "three"])
                assert await bridge.call(unread_of, account) == 0
                key = await app.keeps_key_back(room)
                await app.says(room, "four")
                await eventually(bridge, partial(unread_of, account), 1)
                await app.gives(ada.user_id, key)
                await eventually(bridge, partial(record_of, room), ["one", "two", "three", "four"])

    run(work)
    assert Lane.objects.get(agent=live_cast.ada).wanted_through == Message.objects.latest("pk").pk


def is_wanted(agent: Agent) -> bool:
    """Say whether an agent has anything to decide about."""
    return Lane.objects.filter(agent=agent, wanted_through__gt=0).exists()


def test_a_room_has_a_new_key_when_people_or_devices_go_and_when_it_grew_old(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ben, cem, ada = (Member(synapse, name) for name in ("ann", "ben", "cem", "ada"))
    encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ben, cem, ada)

    async def work(bridge: Bridge) -> None:
        async def say(text: str) -> None:
            draft = await bridge.call(answers, live_cast.ada, room, text)
            await eventually(bridge, lambda: status_of(draft), "published")

        async def changed(app: Peer, change: Callable[..., object], *words: object) -> None:
            """Change something and wait until the agent has read what was said after it."""
            await bridge.call(change, *words)
            await app.says(room, f"after {change.__name__}")
            await eventually(bridge, lambda: record_of(room)[-1], f"after {change.__name__}")

        async with (
            matrix_host(bridge),
            peer(synapse, ann, tmp_path / "ann") as app,
            peer(synapse, ben, tmp_path / "ben"),
            peer(synapse, cem, tmp_path / "cem"),
        ):
            await connected(bridge, live_cast.ada)
            await say("1")
            await say("2")
            await changed(app, ben.call, "POST", f"/rooms/{room}/leave", {})
            await say("3")
            await changed(app, ann.sets, room, "m.room.encryption", often(1))
            await say("4")
            await changed(app, ann.sets, room, "m.room.encryption", often(10**9))
            await say("5")
            await changed(app, cem.call, "POST", "/logout", {})  # his only device goes
            await say("6")
            await app.hears(ada.user_id, *"123456")

    run(work)
    used = session_ids(ann.reads(room), ada.user_id)
    assert [used.index(one) for one in used] == [0, 0, 2, 3, 3, 5]


def often(messages: int) -> dict[str, object]:
    """Return after how many messages a room wants another key; what is stricter holds."""
    return {
        "algorithm": "m.megolm.v1.aes-sha2",
        "rotation_period_msgs": messages,
        "rotation_period_ms": 10**14,
    }


def test_where_an_agreement_was_lost_another_one_is_made(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    account = encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)

    async def work(bridge: Bridge) -> None:
        async with peer(synapse, ann, tmp_path / "ann") as app:
            async with matrix_host(bridge):
                await connected(bridge, live_cast.ada)
                await app.says(room, "Hello")
                draft = await bridge.call(answers, live_cast.ada, room, "Hello, Ann.")
                await eventually(bridge, lambda: status_of(draft), "published")
                await app.hears(ada.user_id, "Hello, Ann.")
            await bridge.call(lambda: account.keyring.keys.filter(kind="olm").delete())
            async with matrix_host(bridge):
                app.client.invalidate_outbound_session(room)
                await app.says(room, "Are you there?")
                await eventually(bridge, partial(unread_of, account), 1)
                await app_agrees_anew(app.client)
                app.client.invalidate_outbound_session(room)
                await app.says(room, "And now?")
                await eventually(bridge, lambda: record_of(room)[-1], "And now?")

    run(work)
    assert record_of(room) == ["Hello", "Hello, Ann.", "And now?"]


async def app_agrees_anew(client: nio.AsyncClient) -> None:
    """Wait until somebody's app has got a first message of a new agreement."""
    for _ in range(100):
        answer = await client.sync(timeout=200)
        assert isinstance(answer, nio.SyncResponse)
        if any(isinstance(event, nio.DummyEvent) for event in answer.to_device_events):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("no message of a new agreement came")


@pytest.mark.usefixtures("clock_as_it_was")
def test_a_rooms_key_is_replaced_after_a_week_or_when_the_room_wants_it(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    encrypting(live_cast, synapse, ada)
    plain, hourly, monthly, short = rooms = [
        encrypted_room(ann, ada, initial_state=[asking(**wishes)])
        for wishes in (
            {},
            {"rotation_period_ms": 3_600_000},
            {"rotation_period_ms": 30 * 24 * 3_600_000},
            {"rotation_period_msgs": 3},
        )
    ]

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge), peer(synapse, ann, tmp_path / "ann") as app:
            await connected(bridge, live_cast.ada)
            for n, passes in enumerate(
                (
                    timedelta(0),
                    timedelta(minutes=59),
                    timedelta(minutes=2),
                    timedelta(days=6, hours=22, minutes=58),
                    timedelta(minutes=2),
                )
            ):
                await bridge.call(let_pass, passes)
                drafts = [
                    await bridge.call(answers, live_cast.ada, room, f"{n} in {rooms.index(room)}")
                    for room in rooms
                ]
                for draft in drafts:
                    await eventually(bridge, partial(status_of, draft), "published")
            await app.catches_up()
            assert app.unread() == []
            assert len(app.heard(ada.user_id)) == 5 * len(rooms)

    run(work)

    def keys(room: str) -> list[int]:
        used = session_ids(ann.reads(room), ada.user_id)
        return [used.index(one) for one in used]

    assert keys(plain) == [0, 0, 0, 0, 4]
    assert keys(hourly) == [0, 0, 2, 3, 3]
    assert keys(monthly) == [0, 0, 0, 0, 4]  # what is stricter holds
    assert keys(short) == [0, 0, 0, 3, 3]


def asking(**wishes: object) -> dict[str, object]:
    """Return the state of a room that is encrypted, and after what it wants another key."""
    content = {"algorithm": "m.megolm.v1.aes-sha2", **wishes}
    return {"type": "m.room.encryption", "state_key": "", "content": content}


def let_pass(by: timedelta) -> None:
    """Move the database's clock, and the leases that are renewed meanwhile."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE greenroom_clock SET shift = shift + %s", [by])
        held = Account.objects.exclude(lease_until=None)
        held.update(lease_until=F("lease_until") + by)
