"""An agent in encrypted rooms, with members whose app is another implementation."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import nio
import pytest
import vodozemac

from agentapp.conversation.models import Message, Reaction
from agentapp.drafts.services import correct, retract
from agentapp.identity.models import Room, User
from bots.bridge import Bridge
from tests.bots.matrix.peers import (
    encrypted_room,
    encrypting,
    peer,
    session_ids,
)
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
    assert record_of(room) == ["I pay.", "Done."]


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
