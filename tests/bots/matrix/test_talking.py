"""Members of real rooms and an agent hear each other, through the real intake and delivery."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from agentapp.conversation.models import Message, Reaction
from agentapp.drafts.models import Outbound
from agentapp.drafts.services import retract
from agentapp.engine.decide import decide_room
from agentapp.identity.models import Room
from agentapp.intake import lanes
from agentapp.intake.models import Lane
from agentapp.turns.models import Turn
from bots.bridge import Bridge
from tests.bots.matrix.ghosts import hired
from tests.bots.matrix.world import (
    Member,
    answers,
    connected,
    login_agent,
    matrix_host,
    membership_of,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.synapse import Synapse

pytestmark = pytest.mark.usefixtures("each_way")


def test_two_members_talk_with_an_agent_in_a_room(live_cast: Cast, synapse: Synapse) -> None:
    ann, ben, ada = Member(synapse, "ann"), Member(synapse, "ben"), hired(synapse, "ada")
    room = ann.opens(ben.user_id, ada.user_id, name="Tea")
    ben.joins(room)
    ann.says(room, "long before")
    ada.joins(room)
    login_agent(live_cast, live_cast.ada, synapse, ada)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            call = bridge.call
            asked = await call(
                partial(ann.says, room, "Ada?", **{"m.mentions": {"user_ids": [ada.user_id]}})
            )
            await call(ben.says, room, "Good question")
            await eventually(bridge, partial(record_of, room), ["Ada?", "Good question"])
            draft = await call(partial(answers, live_cast.ada, room, "**Yes**, Ann.", to=asked))
            await eventually(bridge, lambda: status_of(draft), "published")
            assert await call(ben.hears, room, ada.user_id) == ["**Yes**, Ann."]
            content = (await call(ben.reads, room))[-1]["content"]
            assert content["m.mentions"] == {"user_ids": [ann.user_id]}
            assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": asked}}
            await asyncio.sleep(0.5)  # its echo has come too

    run(work)
    assert record_of(room) == ["Ada?", "Good question", "**Yes**, Ann."]
    shown = room_of(room)
    assert (shown.name, shown.kind, shown.reply_mode) == ("Tea", "room", "approve")
    own = Message.objects.get(text="**Yes**, Ann.", author__agent=live_cast.ada)
    assert Outbound.objects.get().message == own
    meant_for_the_agent(live_cast, room)


def meant_for_the_agent(cast: Cast, room: str) -> None:
    """The question mentions it, it is in the room, and all that was said waits for it."""
    question = Message.objects.get(text="Ada?")
    assert [one.agent for one in question.mentions.all()] == [cast.ada]
    assert membership_of(cast.ada, room) == "active"
    lane = Lane.objects.get(agent=cast.ada, room=room_of(room))
    assert lane.wanted_through == Message.objects.get(text="Good question").pk


@pytest.mark.parametrize("is_direct", [True, False])
def test_it_decides_to_answer_who_means_it(
    live_cast: Cast, synapse: Synapse, is_direct: bool
) -> None:
    ann, ben, ada = Member(synapse, "ann"), Member(synapse, "ben"), hired(synapse, "ada")
    room = ann.opens(ada.user_id, *([] if is_direct else [ben.user_id]))
    ada.joins(room)
    login_agent(live_cast, live_cast.ada, synapse, ada)
    body = "How are you?" if is_direct else f"{ada.user_id} how are you?"
    named: dict[str, object] = {} if is_direct else {"user_ids": [ada.user_id]}

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(partial(ann.says, room, body, **{"m.mentions": named}))
            await eventually(bridge, partial(record_of, room), [body])

    run(work)
    decide_room(claimed=lanes.claim(limit=5))
    turn = Turn.objects.get(agent=live_cast.ada)
    assert turn.addressed
    assert turn.trigger_id == Message.objects.get(text=body).pk


def test_a_room_of_two_is_direct_until_a_third_comes(live_cast: Cast, synapse: Synapse) -> None:
    ann, ben, ada = Member(synapse, "ann"), Member(synapse, "ben"), hired(synapse, "ada")
    room = ann.opens(ada.user_id, is_direct=True, preset="trusted_private_chat")
    ada.joins(room)
    login_agent(live_cast, live_cast.ada, synapse, ada)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            asked = await bridge.call(ann.says, room, "Are you there?")
            await eventually(bridge, partial(record_of, room), ["Are you there?"])
            assert (await bridge.call(room_of, room)).kind == Room.Kind.DIRECT
            draft = await bridge.call(partial(answers, live_cast.ada, room, "I am.", to=asked))
            await eventually(bridge, lambda: status_of(draft), "published")
            await bridge.call(ann.call, "POST", f"/rooms/{room}/invite", {"user_id": ben.user_id})
            await bridge.call(ben.joins, room)
            await eventually(bridge, lambda: room_of(room).kind, Room.Kind.ROOM)

    run(work)
    assert ann.hears(room, ada.user_id) == ["I am."]


def test_a_reaction_and_a_message_are_put_and_taken_back(live_cast: Cast, synapse: Synapse) -> None:
    ann, ada = Member(synapse, "ann"), hired(synapse, "ada")
    room = ann.opens(ada.user_id)
    ada.joins(room)
    login_agent(live_cast, live_cast.ada, synapse, ada)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            news = await bridge.call(ann.says, room, "I passed!")
            await eventually(bridge, partial(record_of, room), ["I passed!"])
            liked = await bridge.call(
                partial(answers, live_cast.ada, room, "", to=news, kind="reaction", emoji="🎉")
            )
            said = await bridge.call(answers, live_cast.ada, room, "Congratulations!")
            for draft in (liked, said):
                await eventually(bridge, lambda draft=draft: status_of(draft), "published")
            standing = Reaction.objects.filter(emoji="🎉", is_present=True)
            await eventually(bridge, standing.count, 1)
            for draft in (liked, said):
                await bridge.call(partial(retract, draft_id=draft.pk, by=live_cast.root))
                await eventually(bridge, lambda draft=draft: status_of(draft), "retracted")
            await eventually(bridge, standing.count, 0)
            await eventually(bridge, partial(record_of, room), ["I passed!"])

    run(work)
    assert ann.hears(room, ada.user_id) == []


def test_an_answer_stays_in_the_thread_it_was_asked_in(live_cast: Cast, synapse: Synapse) -> None:
    ann, ada = Member(synapse, "ann"), hired(synapse, "ada")
    room = ann.opens(ada.user_id)
    ada.joins(room)
    login_agent(live_cast, live_cast.ada, synapse, ada)

    async def work(bridge: Bridge) -> dict[str, Any]:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            root = await bridge.call(ann.says, room, "About tea:")
            thread = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
            asked = await bridge.call(partial(ann.says, room, "Green?", **{"m.relates_to": thread}))
            await eventually(bridge, partial(record_of, room), ["About tea:", "Green?"])
            draft = await bridge.call(partial(answers, live_cast.ada, room, "Green.", to=asked))
            await eventually(bridge, lambda: status_of(draft), "published")
            return {"root": root, "asked": asked, "sent": (await bridge.call(ann.reads, room))[-1]}

    found = run(work)
    assert found["sent"]["content"]["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": found["root"],
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": found["asked"]},
    }
    reply = Message.objects.get(text="Green?").reply_to
    assert reply is not None
    assert reply.external_id == found["root"]


def test_all_pieces_of_a_long_answer_stay_in_its_thread_and_ping_once(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, ada = Member(synapse, "ann"), hired(synapse, "ada")
    room = ann.opens(ada.user_id)
    ada.joins(room)
    login_agent(live_cast, live_cast.ada, synapse, ada)
    long = "\n".join(f"{n} " + "tea " * 200 for n in range(12))

    async def work(bridge: Bridge) -> dict[str, Any]:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            root = await bridge.call(ann.says, room, "About tea:")
            thread = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
            asked = await bridge.call(partial(ann.says, room, "All?", **{"m.relates_to": thread}))
            await eventually(bridge, partial(record_of, room), ["About tea:", "All?"])
            draft = await bridge.call(partial(answers, live_cast.ada, room, long, to=asked))
            await eventually(bridge, lambda: status_of(draft), "published")
            return {"root": root, "asked": asked}

    found = run(work)
    sent = [event["content"] for event in ann.reads(room) if event["sender"] == ada.user_id]
    sent = [content for content in sent if "body" in content]
    assert len(sent) == 2
    assert "".join(content["body"] for content in sent).count("tea") == 2400
    for content in sent:
        relation = content["m.relates_to"]
        assert (relation["event_id"], relation["m.in_reply_to"]["event_id"]) == (
            found["root"],
            found["asked"],
        )
    assert [content["m.mentions"] for content in sent] == [{"user_ids": [ann.user_id]}, {}]
