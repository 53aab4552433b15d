"""Threads that were archived while nobody listened are read, and what is older is not asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from agentapp.events.models import Event
from bots.bridge import Bridge
from tests.bots.discord.world import (
    discord_host,
    let_into,
    read_to,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Fault, Guild, Person, Place

PUBLIC = "GET /channels/{channel}/threads/archived/public"
PRIVATE = "GET /channels/{channel}/users/@me/threads/archived/private"
HISTORY = "GET /channels/{channel}/messages"

pytestmark = pytest.mark.usefixtures("login")


def is_let_in(cast: Cast, *places: Place) -> None:
    """Have Ada let into channels, and nobody listen after that."""

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, cast, cast.ada, *places)

    run(work)


def comes_back(*expected: tuple[Place, list[str]]) -> None:
    """Have somebody listen again until places are on record like this."""

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            for place, texts in expected:
                await eventually(bridge, partial(record_of, place), texts)

    run(work)
    assert [record_of(place) for place, _ in expected] == [texts for _, texts in expected]


def asked_for(discord: Discord, place: Place) -> int:
    """Count how often somebody asked what was said in a place."""
    paths = [seen.path for seen in discord.requests if seen.route == HISTORY]
    return sum(str(place.id) in path for path in paths)


def test_a_thread_that_opened_and_closed_in_a_gap_is_read_from_its_beginning(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person
) -> None:
    is_let_in(live_cast, tea)
    thread = ann.opens_thread(tea, "sorts")
    ann.says(thread, "Green?")
    ann.says(thread, "Or black?")
    thread.archives()
    ann.says(tea, "Later")

    comes_back((thread, ["Green?", "Or black?"]), (tea, ["Later"]))

    assert (room_of(thread).parent, room_of(thread).name) == (room_of(tea), "sorts · tea (Pond)")
    assert discord.answers(PUBLIC) == [200]
    assert asked_for(discord, thread) == 1


def test_a_post_in_a_forum_likewise(live_cast: Cast, pond: Guild, ann: Person) -> None:
    forum = pond.forum("recipes")
    is_let_in(live_cast, forum)
    post = ann.posts(forum, "Scones", "Who has a recipe?")
    post.archives()
    comes_back((post, ["Who has a recipe?"]))


def test_a_private_thread_that_it_was_let_into_likewise(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person, bot: Bot
) -> None:
    is_let_in(live_cast, tea)
    inside, outside = (ann.opens_thread(tea, name, private=True) for name in ("in", "out"))
    inside.it.joined.add(bot.id)
    for thread in (inside, outside):
        ann.says(thread, "Between us")
        thread.archives()
    comes_back((inside, ["Between us"]))
    assert asked_for(discord, outside) == 0


def test_what_was_archived_before_the_gap_is_not_asked_for(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person
) -> None:
    old = ann.opens_thread(tea, "old")
    ann.says(old, "said long ago")
    old.archives()
    discord.advance(60)
    ann.says(tea, "long ago")
    is_let_in(live_cast, tea)
    discord.advance(60)
    ann.says(tea, "now")
    comes_back((tea, ["now"]))
    assert asked_for(discord, old) == 0
    assert discord.answers(PUBLIC) == [200]


def test_an_old_thread_is_read_from_where_the_agent_came_in(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person
) -> None:
    old = ann.opens_thread(tea, "old")
    ann.says(old, "said before it came")
    is_let_in(live_cast, tea)
    discord.advance(5)
    ann.says(old, "said in the gap")
    old.archives()
    comes_back((old, ["said in the gap"]))


def test_who_is_refused_asks_once_and_notes_it(
    live_cast: Cast, discord: Discord, bot: Bot, tea: Place, ann: Person
) -> None:
    is_let_in(live_cast, tea)
    ann.opens_thread(tea, "sorts").archives()
    discord.fails(PUBLIC, 403)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await bridge.call(ann.says, tea, "1")
            await eventually(bridge, partial(record_of, tea), ["1"])
            await bridge.call(again)
            await eventually(bridge, partial(record_of, tea), ["1", "2", "3"], seconds=20)

    def again() -> None:
        with discord.gap(bot):
            ann.says(tea, "2")
        discord.until(lambda: discord.connections == 1)
        ann.says(tea, "3")

    run(work)
    assert discord.answers(PUBLIC) == [403]
    gaps = Event.objects.filter(type="room.gap", room_id=room_of(tea).pk)
    assert [one.payload["where"] for one in gaps] == ["archived threads"]


def test_where_the_past_is_closed_nobody_asks_for_threads(
    live_cast: Cast, discord: Discord, bot: Bot, tea: Place, ann: Person
) -> None:
    is_let_in(live_cast, tea)
    tea.denies(bot, "read_message_history")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, lambda: discord.connections, 1)
            await bridge.call(ann.says, tea, "heard live")
            await eventually(bridge, partial(record_of, tea), ["heard live"])

    run(work)
    assert discord.answers(PUBLIC) == []


def _cut(discord: Discord, route: str) -> None:
    discord.cuts(route, Fault.CUT_AFTER)


def _unavailable(discord: Discord, route: str) -> None:
    discord.fails(route, 503, times=2)


@pytest.mark.parametrize("route", [PUBLIC, HISTORY])
@pytest.mark.parametrize("fault", [_cut, _unavailable])
def test_the_channel_waits_for_its_threads(
    live_cast: Cast,
    discord: Discord,
    tea: Place,
    ann: Person,
    route: str,
    fault: Callable[[Discord, str], None],
) -> None:
    """Whatever breaks: how far the channel is read says where its threads begin."""
    is_let_in(live_cast, tea)
    thread = ann.opens_thread(tea, "sorts")
    ann.says(thread, "Green?")
    thread.archives()
    ann.says(tea, "Later")
    before = read_to(live_cast.ada, tea)
    fault(discord, route)
    seen: list[str] = []

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge), asyncio.timeout(20):
            while await bridge.call(record_of, thread) == []:
                seen.append(await bridge.call(read_to, live_cast.ada, tea))
            await eventually(bridge, partial(record_of, tea), ["Later"], seconds=20)

    run(work)
    assert set(seen) <= {before}
    assert record_of(thread) == ["Green?"]


def test_a_session_that_goes_on_has_missed_no_thread(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            thread = await bridge.call(break_off)
            await eventually(bridge, partial(record_of, thread), ["Green?"])

    def break_off() -> Place:
        with discord.go_away():
            thread = ann.opens_thread(tea, "sorts")
            ann.says(thread, "Green?")
            thread.archives()
        discord.until(lambda: discord.connections == 1)
        return thread

    run(work)
    assert discord.heard["identify"] == 1
    assert discord.answers(PUBLIC) + discord.answers(PRIVATE) == []
