"""Edits, removals and reactions in whatever order they come, and who may make them."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from agentapp.conversation.models import Message, Reaction
from agentapp.events.models import Event
from agentapp.foundation.envelope import AuthorKind
from agentapp.identity.models import Identity
from agentapp.identity.services.agents import create_agent
from agentapp.intake.models import Lane
from bots.bridge import Bridge
from tests.bots.matrix.ghosts import hired
from tests.bots.matrix.test_keeping import a_place
from tests.bots.matrix.world import (
    Member,
    connected,
    login_agent,
    matrix_host,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run
from tests.cast import SPEC, Cast
from tests.fakes.synapse import Synapse

pytestmark = pytest.mark.usefixtures("each_way")


def standing(room: str) -> list[str]:
    found = Reaction.objects.filter(message__room__external_id=room, is_present=True)
    return list(found.order_by("id").values_list("emoji", flat=True))


def test_changes_come_while_it_listens(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            call = bridge.call
            first = await call(ann.says, room, "Helo")
            second = await call(ann.says, room, "Oops")
            liked = await call(ann.reacts, room, first, "👍")
            await eventually(bridge, partial(standing, room), ["👍"])
            await call(ann.edits, room, first, "Hello")
            await call(ann.redacts, room, second)
            await call(ann.redacts, room, liked)
            await eventually(bridge, partial(record_of, room), ["Hello"])
            await eventually(bridge, partial(standing, room), [])

    run(work)
    assert (record_of(room), standing(room)) == (["Hello"], [])


def test_changes_made_while_it_slept_are_found(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            call = bridge.call
            first = await call(ann.says, room, "Helo")
            second = await call(ann.says, room, "Oops")
            gone = await call(ann.reacts, room, first, "👍")
            await call(ann.reacts, room, first, "🎉")
            await eventually(bridge, partial(standing, room), ["👍", "🎉"])
        third = await call(ann.says, room, "Third")
        await call(ann.edits, room, third, "The third")
        await call(ann.reacts, room, third, "❤️")
        await call(ann.redacts, room, gone)
        await call(ann.redacts, room, second)
        await call(ann.edits, room, first, "Hello")
        fourth = await call(ann.says, room, "Never mind")
        await call(ann.redacts, room, fourth)
        async with matrix_host(bridge):
            await eventually(bridge, partial(record_of, room), ["Hello", "The third"])
            await eventually(bridge, partial(standing, room), ["🎉", "❤️"])

    run(work)
    assert record_of(room) == ["Hello", "The third"]
    assert standing(room) == ["🎉", "❤️"]


@pytest.mark.parametrize("is_known", [True, False])
def test_only_its_author_can_change_a_message(
    live_cast: Cast, synapse: Synapse, is_known: bool
) -> None:
    ann, room = a_place(live_cast, synapse)
    mallory = Member(synapse, "mallory")
    ann.call("POST", f"/rooms/{room}/invite", {"user_id": mallory.user_id})
    mallory.joins(room)
    before = ann.says(room, "said before the agent came")

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            call = bridge.call
            target = await call(ann.says, room, "I like tea") if is_known else before
            if is_known:
                await eventually(bridge, partial(record_of, room), ["I like tea"])
            await call(mallory.edits, room, target, "I like coal")
            await call(ann.says, room, "later")
            await eventually(bridge, lambda: record_of(room)[-1:], ["later"])

    run(work)
    assert not Message.objects.filter(text__contains="coal").exists()


def test_notices_are_kept_and_wake_nobody(live_cast: Cast, synapse: Synapse) -> None:
    robot, room = a_place(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await bridge.call(partial(robot.says, room, "Backup done", msgtype="m.notice"))
            await eventually(bridge, partial(record_of, room), ["Backup done"])

    run(work)
    assert not Lane.objects.filter(room=room_of(room)).exists()
    assert Identity.objects.get(external_id=robot.user_id).kind == AuthorKind.BOT


def test_an_agent_of_another_workspace_is_a_bot_here(live_cast: Cast, synapse: Synapse) -> None:
    """Two agents that took each other for people would talk for ever."""
    stranger = create_agent(
        owner=live_cast.olga, workspace=live_cast.elsewhere, name="Ivo", spec=SPEC
    )
    other, room = a_place(live_cast, synapse)
    login_agent(replaced_root(live_cast), stranger, synapse, other)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            await connected(bridge, stranger)
            await bridge.call(other.says, room, "Hello Ada")
            await eventually(bridge, lambda: record_of(room).count("Hello Ada"), 2)

    run(work)
    seen = Identity.objects.get(workspace=live_cast.workspace, external_id=other.user_id)
    assert seen.kind == Identity.Kind.BOT


def replaced_root(cast: Cast) -> Cast:
    return Cast(**{**cast.__dict__, "root": cast.olga})


def test_two_agents_in_a_room_make_one_record(live_cast: Cast, synapse: Synapse) -> None:
    ann, room = a_place(live_cast, synapse)
    bo = hired(synapse, "bo")
    ann.call("POST", f"/rooms/{room}/invite", {"user_id": bo.user_id})
    bo.joins(room)
    login_agent(live_cast, live_cast.bo, synapse, bo)
    words = [str(number) for number in range(20)]

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            for agent in (live_cast.ada, live_cast.bo):
                await connected(bridge, agent)
            for word in words:
                await bridge.call(ann.says, room, word)
            await eventually(bridge, partial(record_of, room), words)
            await asyncio.sleep(0.5)

    run(work)
    assert record_of(room) == words
    assert Lane.objects.filter(room=room_of(room)).count() == 2


def test_agents_that_share_rooms_do_not_hold_each_other_up(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, ben, rooms = three_rooms(live_cast, synapse)

    async def work(bridge: Bridge) -> None:
        async with matrix_host(bridge):
            for agent in (live_cast.ada, live_cast.bo):
                await connected(bridge, agent)
            await asyncio.gather(
                bridge.call(talks, ann, rooms), bridge.call(talks, ben, rooms[::-1])
            )
            for room in rooms:
                await eventually(bridge, lambda room=room: len(record_of(room)), 16, seconds=30)

    run(work)
    assert not Event.objects.filter(type="account.failing").exists()
    for member in (ann, ben):
        said = [f"{member.user_id} {number}" for number in range(8)]
        for room in rooms:
            assert [line for line in record_of(room) if line in said] == said


def three_rooms(cast: Cast, synapse: Synapse) -> tuple[Member, Member, list[str]]:
    """Return two members and three rooms, all shared by two agents."""
    ann, ben = Member(synapse, "ann"), Member(synapse, "ben")
    ada, bo = hired(synapse, "ada"), hired(synapse, "bo")
    rooms = [ann.opens(ben.user_id, ada.user_id, bo.user_id, name=f"R{n}") for n in range(3)]
    for room in rooms:
        for member in (ben, ada, bo):
            member.joins(room)
    login_agent(cast, cast.ada, synapse, ada)
    login_agent(cast, cast.bo, synapse, bo)
    return ann, ben, rooms


def talks(member: Member, rooms: list[str]) -> None:
    for number in range(8):
        for room in rooms:
            member.says(room, f"{member.user_id} {number}")


ODD: tuple[dict[str, object], ...] = (
    {},
    {"msgtype": "m.text"},
    {"msgtype": "m.text", "body": 7},
    {"msgtype": "m.text", "body": ["x"], "m.mentions": "all"},
    {"msgtype": {"a": 1}, "body": "x"},
    {"msgtype": "m.text", "body": "\x00\u202e\x07"},
    {"msgtype": "m.text", "body": "x", "m.relates_to": "yes"},
    {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": "m.replace"}},
    {"msgtype": "m.text", "body": "x", "m.relates_to": {"m.in_reply_to": {"event_id": "nobody"}}},
    {"msgtype": "m.text", "body": "x", "m.relates_to": {"rel_type": ["m.thread"], "event_id": 3}},
    {"msgtype": "m.image", "body": "x", "url": 3, "info": "none", "filename": {}},
    {"msgtype": "m.text", "body": "* x", "m.new_content": 3, "m.relates_to": {"event_id": "$x"}},
    {"msgtype": "m.text", "body": "A" * 60_000},
)


def test_malformed_events_from_a_real_homeserver_hold_nothing_up(
    live_cast: Cast, synapse: Synapse
) -> None:
    ann, room = a_place(live_cast, synapse)
    kinds = ("m.room.message", "m.reaction", "m.sticker", "m.room.encrypted", "org.example.odd")

    def says_odd_things() -> int:
        taken = 0
        for kind in kinds:
            for content in ODD:
                try:
                    ann.sends(room, kind, content)
                    taken += 1
                except OSError:
                    continue  # the homeserver itself refuses it
        return taken

    async def work(bridge: Bridge) -> int:
        async with matrix_host(bridge):
            await connected(bridge, live_cast.ada)
            taken = await bridge.call(says_odd_things)
            await bridge.call(ann.says, room, "the end")
            await eventually(bridge, lambda: record_of(room)[-1:], ["the end"], seconds=20)
            return taken

    assert run(work) > 20
