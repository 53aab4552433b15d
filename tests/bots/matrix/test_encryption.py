"""An agent in encrypted rooms, with members whose app is another implementation."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import nio
import pytest
import vodozemac

from agentapp.conversation.models import Message, Reaction
from agentapp.drafts.services import correct, retract
from agentapp.files.models import FileBytes
from agentapp.files.services import Given
from agentapp.identity.models import Agent, Room, User
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
from tests.bots.matrix.test_files import picture, states, waits_with
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    login_agent,
    matrix_host,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse


def test_two_members_and_an_agent_talk_where_nobody_else_can_read(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ben, ada = (Member(synapse, name) for name in ("ann", "ben", "ada"))
    encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ben, ada, name="Tea")

    async def work(bridge: Bridge) -> None:
        async with (
            matrix_host(bridge),
            peer(synapse, ann, tmp_path / "ann") as app,
            peer(synapse, ben, tmp_path / "ben") as other,
        ):
            await connected(bridge, live_cast.ada)
            asked = await app.says(room, "Ada?", **{"m.mentions": {"user_ids": [ada.user_id]}})
            await eventually(bridge, partial(record_of, room), ["Ada?"])
            draft = await bridge.call(partial(answers, live_cast.ada, room, "Yes.", to=asked))
            await eventually(bridge, lambda: status_of(draft), "published")
            for one in (app, other):
                (answer,) = await one.hears(ada.user_id, "Yes.")
                assert answer.decrypted
                relation = answer.source["content"]["m.relates_to"]
                assert relation == {"m.in_reply_to": {"event_id": asked}}
                assert answer.source["content"]["m.mentions"] == {"user_ids": [ann.user_id]}
            assert proven_device(await keys_shown(other.client, ada), ada)
            await eventually(bridge, partial(record_of, room), ["Ada?", "Yes."])

    run(work)
    assert ann.hears(room, ada.user_id) == []  # nothing of it is there in plain
    assert room_of(room).encrypted
    question = Message.objects.get(text="Ada?")
    assert [one.agent for one in question.mentions.all()] == [live_cast.ada]


async def keys_shown(client: nio.AsyncClient, ada: Member) -> dict[str, Any]:
    """Ask for an agent's keys as any member may."""
    path = "/_matrix/client/v3/keys/query"
    body = json.dumps({"device_keys": {ada.user_id: []}})
    headers = {"Authorization": f"Bearer {client.access_token}"}
    answer = await client.send("POST", path, body, headers)
    found = await answer.json()
    assert isinstance(found, dict)
    return found


def proven_device(found: dict[str, Any], ada: Member) -> bool:
    """Check by hand that the first key signs the second, the second the device, it the first."""
    user, device_id = ada.user_id, ada.user.device_id
    master, second = found["master_keys"][user], found["self_signing_keys"][user]
    device = found["device_keys"][user][device_id]
    (master_key,), (second_key,) = master["keys"].values(), second["keys"].values()
    own = device["keys"][f"ed25519:{device_id}"]
    for signed, name, key in (
        (second, master_key, master_key),
        (device, second_key, second_key),
        (device, device_id, own),
        (master, device_id, own),
    ):
        signature = signed["signatures"][user][f"ed25519:{name}"]
        plain = {k: v for k, v in signed.items() if k not in {"signatures", "unsigned"}}
        vodozemac.Ed25519PublicKey.from_base64(key).verify_signature(
            nio.Api.to_canonical_json(plain).encode(),
            vodozemac.Ed25519Signature.from_base64(signature),
        )
    return True


def test_threads_edits_reactions_and_removals_are_what_they_are_in_plain(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge), peer(synapse, ann, tmp_path / "ann") as app:
            await connected(bridge, live_cast.ada)
            root = await app.says(room, "About tea:")
            thread = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
            asked = await app.says(room, "Grren?", **{"m.relates_to": thread})
            await app.says(
                room,
                "* Green?",
                **{
                    "m.new_content": {"msgtype": "m.text", "body": "Green?"},
                    "m.relates_to": {"rel_type": "m.replace", "event_id": asked},
                },
            )
            await eventually(bridge, partial(record_of, room), ["About tea:", "Green?"])
            call = bridge.call
            said = await call(partial(answers, live_cast.ada, room, "Green.", to=asked))
            liked = await call(
                partial(answers, live_cast.ada, room, "", to=root, kind="reaction", emoji="🍵")
            )
            for draft in (said, liked):
                await eventually(bridge, partial(status_of, draft), "published")
            (answer,) = await app.hears(ada.user_id, "Green.")
            assert thread_of(answer) == root
            await call(partial(corrects, "Green.", "Green tea.", by=live_cast.root))
            _, edit = await app.hears(ada.user_id, "Green.", "* Green tea.")
            assert edit.source["content"]["m.relates_to"]["event_id"] == answer.event_id
            await eventually(bridge, lambda: record_of(room)[-1], "Green tea.")
            assert [e.key for e in app.seen if isinstance(e, nio.ReactionEvent)] == ["🍵"]
            await call(partial(retract, draft_id=said.pk, by=live_cast.root))
            await eventually(bridge, lambda: status_of(said), "retracted")
            await call(ann.redacts, room, asked)
            await eventually(bridge, partial(record_of, room), ["About tea:"])

    run(work)
    assert Reaction.objects.filter(emoji="🍵", is_present=True).count() == 1
    kinds = {e["type"] for e in ann.reads(room) if e["sender"] == ada.user_id and e["content"]}
    assert "m.room.message" not in kinds


def thread_of(event: nio.Event) -> str:
    relation = event.source["content"]["m.relates_to"]
    assert relation["rel_type"] == "m.thread"
    return str(relation["event_id"])


def corrects(old: str, new: str, *, by: User) -> None:
    """Give a published message of an agent new words."""
    correct(message_id=Message.objects.get(text=old).pk, text=new, by=by)


def test_what_somebody_writes_again_or_in_anothers_name_is_not_taken_in(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ben, ada = (Member(synapse, name) for name in ("ann", "ben", "ada"))
    encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ben, ada)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge), peer(synapse, ann, tmp_path / "ann") as app:
            await connected(bridge, live_cast.ada)
            await app.says(room, "I pay.")
            await eventually(bridge, partial(record_of, room), ["I pay."])
            (sealed,) = [e for e in ann.reads(room) if e["type"] == "m.room.encrypted"]
            await bridge.call(ann.sends, room, "m.room.encrypted", sealed["content"])
            await bridge.call(ben.sends, room, "m.room.encrypted", sealed["content"])
            await app.says(room, "Done.")
            await eventually(bridge, partial(record_of, room), ["I pay.", "Done."])

    run(work)


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


def test_several_rooms_at_once_are_written_and_read(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    encrypting(live_cast, synapse, ada)
    rooms = [encrypted_room(ann, ada) for _ in range(4)]

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge), peer(synapse, ann, tmp_path / "ann") as app:
            await connected(bridge, live_cast.ada)
            drafts = []
            for n in range(3):
                for room in rooms:
                    text = f"{n} in {rooms.index(room)}"
                    drafts.append(await bridge.call(answers, live_cast.ada, room, text))
                await app.says(rooms[n], f"Meanwhile {n}")
            for draft in drafts:
                await eventually(bridge, partial(status_of, draft), "published")
            await app.catches_up()
            heard = sorted(event.body for event in app.heard(ada.user_id))
            assert heard == sorted(draft.text for draft in drafts)
            assert app.unread() == []
            for n in range(3):
                await eventually(bridge, partial(is_heard, rooms[n], f"Meanwhile {n}"), True)

    run(work)


def is_heard(room: str, text: str) -> bool:
    return text in record_of(room)


@pytest.mark.parametrize("is_on", [True, False])
def test_what_was_encrypted_stays_so_whatever_the_homeserver_says(
    live_cast: Cast, synapse: Synapse, is_on: bool
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    if is_on:
        encrypting(live_cast, synapse, ada)
    else:
        login_agent(live_cast, live_cast.ada, synapse, ada)
    room = ann.opens(ada.user_id)
    ada.joins(room)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(lambda: Room.objects.update(encrypted=True))
            draft = await bridge.call(answers, live_cast.ada, room, "For Ann alone.")
            await eventually(bridge, partial(status_of, draft), "published" if is_on else "failed")

    run(work)
    assert ann.hears(room, ada.user_id) == []
    assert len(session_ids(ann.reads(room), ada.user_id)) == int(is_on)


def test_without_encryption_turned_on_it_says_that_it_cannot_read(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    login_agent(live_cast, live_cast.ada, synapse, ada)
    room = encrypted_room(ann, ada)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await eventually(bridge, lambda: room_of(room).encrypted, True)
            draft = await bridge.call(answers, live_cast.ada, room, "Hello")
            await eventually(bridge, lambda: status_of(draft), "failed")

    run(work)
    assert "Hello" not in ann.hears(room, ada.user_id)


# -- files ---------------------------------------------------------------------------------------


def test_files_go_both_ways_and_nobody_between_can_open_them(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ada = Member(synapse, "ann"), Member(synapse, "ada")
    encrypting(live_cast, synapse, ada)
    room = encrypted_room(ann, ada)
    content = picture()

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge), peer(synapse, ann, tmp_path / "ann") as app:
            await connected(bridge, live_cast.ada)
            await app.sends(room, await locked_by(app.client, content))
            await app.sends(room, await locked_by(app.client, content, spoil=True))
            await eventually(bridge, states, ["kept", "failed"], seconds=20)
            draft = await bridge.call(
                waits_with, live_cast, room, "Here it is.", Given("cat.png", content)
            )
            await eventually(bridge, partial(status_of, draft), "published", seconds=20)
            await app.hears(ada.user_id, "Here it is.")
            (shown,) = [e for e in app.seen if isinstance(e, nio.RoomEncryptedImage)][2:]
            fetched = await app.client.download(shown.url)
            assert fetched.body != content
            key, sha256, iv = shown.key["k"], shown.hashes["sha256"], shown.iv
            assert nio.crypto.decrypt_attachment(fetched.body, key, sha256, iv) == content

    run(work)
    assert bytes(FileBytes.objects.first().content) == content  # type: ignore[union-attr]


async def locked_by(
    client: nio.AsyncClient, content: bytes, *, spoil: bool = False
) -> dict[str, Any]:
    """Lay a file down as an app does; a spoiled one is not what its message says."""
    locked, keys = nio.crypto.encrypt_attachment(content)
    laid = locked[:-1] + bytes([locked[-1] ^ 1]) if spoil else locked
    answer, _ = await client.upload(
        lambda *_: io.BytesIO(laid), "application/octet-stream", filesize=len(laid)
    )
    assert isinstance(answer, nio.UploadResponse)
    info = {"mimetype": "image/png", "size": len(content)}
    file = {**keys, "url": answer.content_uri, "mimetype": "image/png"}
    return {"msgtype": "m.image", "body": "a.png", "file": file, "info": info}
