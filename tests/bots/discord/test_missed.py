"""What is said while nobody listens is read afterwards: once, in order, and only from then on."""

from __future__ import annotations

from functools import partial

import pytest

from agentapp.events.models import Event
from bots.bridge import Bridge
from tests.bots.discord.world import (
    discord_host,
    let_into,
    membership_of,
    read_to,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Fault, Guild, Person, Place

pytestmark = pytest.mark.usefixtures("login")


def test_what_was_said_between_two_processes_is_read_once_and_in_order(
    live_cast: Cast, discord: Discord, bot: Bot, tea: Place, ann: Person
) -> None:
    heard = [f"missed {number}" for number in range(130)]

    places = run(partial(_talk_before, live_cast, discord, tea, ann, bot))
    direct, thread = places
    for text in heard:
        ann.says(tea, text)
    ann.says(direct, "still there?")
    ann.says(thread, "and here")
    new = ann.opens_thread(tea, "new")
    ann.says(new, "born meanwhile")

    async def after(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, partial(record_of, tea), ["first", *heard], seconds=20)
            for place, texts in (
                (direct, ["between us", "still there?"]),
                (thread, ["in the thread", "and here"]),
                (new, ["born meanwhile"]),
            ):
                await eventually(bridge, partial(record_of, place), texts)
            last = await bridge.call(ann.says, tea, "live again")
            await eventually(bridge, partial(read_to, live_cast.ada, tea), str(last.id))

    run(after)
    assert record_of(tea) == ["first", *heard, "live again"]


async def _talk_before(
    cast: Cast, discord: Discord, tea: Place, ann: Person, bot: Bot, bridge: Bridge
) -> tuple[Place, Place]:
    """Say one thing in a channel, a direct room and a thread, all heard live."""
    async with discord_host(bridge):
        await let_into(bridge, cast, cast.ada, tea)
        await bridge.call(ann.says, tea, "first")
        direct = await bridge.call(ann.dm, bot)
        await bridge.call(ann.says, direct, "between us")
        thread = await bridge.call(ann.opens_thread, tea, "known")
        await bridge.call(ann.says, thread, "in the thread")
        await eventually(bridge, partial(record_of, tea), ["first"])
        await eventually(bridge, partial(record_of, direct), ["between us"])
        await eventually(bridge, partial(record_of, thread), ["in the thread"])
    return direct, thread


def test_a_session_that_is_gone_leaves_no_gap(
    live_cast: Cast, discord: Discord, bot: Bot, tea: Place, ann: Person
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(talk_in_a_gap)
            await eventually(bridge, partial(record_of, tea), ["1", "2", "3", "4"], seconds=20)

    def talk_in_a_gap() -> None:
        ann.says(tea, "1")
        with discord.gap(bot):
            ann.says(tea, "2")
            ann.says(tea, "3")
        discord.until(lambda: discord.connections == 1)
        ann.says(tea, "4")

    run(work)
    assert discord.heard["identify"] == 2


def test_a_connection_that_breaks_is_taken_up_where_it_was(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(ann.says, tea, "1")
            await bridge.call(break_off)
            await bridge.call(ann.says, tea, "3")
            await bridge.call(discord.ask_to_reconnect)
            await bridge.call(ann.says, tea, "4")
            await eventually(bridge, partial(record_of, tea), ["1", "2", "3", "4"], seconds=20)

    def break_off() -> None:
        with discord.go_away():
            ann.says(tea, "2")
        discord.until(lambda: discord.connections == 1)

    run(work)
    assert discord.heard["identify"] == 1
    assert discord.heard["resume"] >= 2


def test_who_comes_in_later_has_not_heard_what_was_said_before(
    live_cast: Cast, tea: Place, ann: Person
) -> None:
    thread = ann.opens_thread(tea, "old")
    ann.says(thread, "said long ago")
    ann.says(tea, "long ago")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
        async with discord_host(bridge):
            await eventually(bridge, partial(membership_of, live_cast.ada, thread), "active")
            await bridge.call(ann.says, thread, "said now")
            await eventually(bridge, partial(record_of, thread), ["said now"])

    run(work)
    assert record_of(tea) == []


def test_a_channel_whose_past_is_closed_keeps_no_other_unread(
    live_cast: Cast, discord: Discord, bot: Bot, pond: Guild, tea: Place, ann: Person
) -> None:
    hall = pond.channel("hall")
    history = "GET /channels/{channel}/messages"

    async def before(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea, hall)

    async def after(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, partial(record_of, tea), ["missed"])
            await bridge.call(ann.says, hall, "heard live")
            await eventually(bridge, partial(record_of, hall), ["heard live"])

    run(before)
    hall.denies(bot, "read_message_history")
    ann.says(tea, "missed")
    ann.says(hall, "never to be read")  # the newest, so it is asked for first
    run(after)
    asked = [seen.path for seen in discord.requests if seen.route == history]
    assert not any(str(hall.id) in path for path in asked)
    assert record_of(hall) == ["heard live"]
    gaps = Event.objects.filter(type="room.gap", room_id=room_of(hall).pk)
    assert gaps.count() == 1


def test_a_channel_that_refuses_is_asked_once_and_keeps_no_other_unread(
    live_cast: Cast, discord: Discord, pond: Guild, tea: Place, ann: Person
) -> None:
    hall = pond.channel("hall")
    history = "GET /channels/{channel}/messages"

    async def before(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea, hall)

    async def after(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, partial(record_of, tea), ["missed"])

    run(before)
    ann.says(tea, "missed")
    ann.says(hall, "refused")
    discord.fails(history, 403)
    run(after)
    assert discord.answers(history).count(403) == 1
    assert record_of(hall) == []


def test_what_cannot_be_read_now_is_read_when_it_can(
    live_cast: Cast, discord: Discord, bot: Bot, tea: Place, ann: Person
) -> None:
    async def before(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)

    async def after(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, partial(record_of, tea), ["1", "2"], seconds=20)

    run(before)
    ann.says(tea, "1")
    ann.says(tea, "2")
    history = "GET /channels/{channel}/messages"
    discord.cuts(history, Fault.CUT_AFTER)
    discord.fails(history, 503, times=2)
    run(after)
    assert bot.identifies == 2
