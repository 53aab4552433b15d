"""An agent in encrypted rooms, with members whose app is another implementation."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from agentapp.conversation.models import Message
from agentapp.identity.models import Account
from agentapp.keyring.models import Keyring
from agentapp.keyring.turning import turn_on
from bots.bridge import Bridge
from tests.bots.matrix.peers import encrypted_room, peer
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    login_agent,
    matrix_host,
    record_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse


def encrypting(cast: Cast, synapse: Synapse, ada: Member) -> Account:
    """Give Ada a login that reads encrypted rooms."""
    account = login_agent(cast, cast.ada, synapse, ada)
    turn_on(account_id=account.pk, password="", by=cast.root)
    return account


def test_two_members_and_an_agent_talk_where_nobody_else_can_read(
    live_cast: Cast, synapse: Synapse, tmp_path: Path
) -> None:
    ann, ben, ada = (Member(synapse, name) for name in ("ann", "ben", "ada"))
    account = encrypting(live_cast, synapse, ada)
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
            await eventually(bridge, partial(record_of, room), ["Ada?", "Yes."])

    run(work)
    assert ann.hears(room, ada.user_id) == []  # nothing of it is there in plain
    assert Keyring.objects.get(account=account).version > 0
    question = Message.objects.get(text="Ada?")
    assert [one.agent for one in question.mentions.all()] == [live_cast.ada]
