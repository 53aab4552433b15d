"""Threads, posts in forums and direct chats are rooms of their own."""

from __future__ import annotations

from functools import partial

import pytest

from agentapp.conversation.models import Message
from agentapp.drafts.services import retract
from agentapp.identity.models import Room
from bots.bridge import Bridge
from tests.bots.discord.world import (
    answers,
    discord_host,
    let_into,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Bot, Guild, Person, Place, Shown

pytestmark = pytest.mark.usefixtures("login")


def test_direct_messages_and_threads_are_rooms_of_their_own(
    live_cast: Cast, bot: Bot, tea: Place, ann: Person
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            thread = await bridge.call(ann.opens_thread, tea, "sorts")
            await bridge.call(ann.says, thread, "Green?")
            direct = await bridge.call(ann.dm, bot)
            await bridge.call(ann.says, direct, "Between us")
            await eventually(bridge, partial(record_of, thread), ["Green?"])
            await eventually(bridge, partial(record_of, direct), ["Between us"])
            for place, text in ((thread, "Black."), (direct, "Yes?")):
                draft = await bridge.call(partial(answers, live_cast.ada, place, text))
                await eventually(bridge, partial(status_of, draft), "published")
                assert place.shows()[-1] == Shown("ada", text)
            places.extend([thread, direct])

    places: list[Place] = []
    run(work)
    thread, direct = (room_of(place) for place in places)
    assert (thread.kind, thread.parent, thread.name) == (
        "thread",
        room_of(tea),
        "sorts · tea (Pond)",
    )
    assert (direct.kind, direct.name) == ("direct", "Ann")


def test_in_a_forum_it_opens_a_post_and_reads_those_of_others(
    live_cast: Cast, pond: Guild, ann: Person
) -> None:
    forum = pond.forum("recipes")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, forum)
            post = await bridge.call(ann.posts, forum, "Scones", "Who has a recipe?")
            await eventually(bridge, partial(record_of, post), ["Who has a recipe?"])
            draft = await bridge.call(
                partial(answers, live_cast.ada, forum, "Shortbread\n\nButter, sugar, flour.")
            )
            await eventually(bridge, lambda: status_of(draft), "published")
            await eventually(bridge, lambda: len(posts()), 2)
            await bridge.call(partial(retract, draft_id=draft.pk, by=live_cast.root))
            await eventually(bridge, lambda: status_of(draft), "retracted")
            await eventually(bridge, is_gone, True)

    def is_gone() -> bool:
        own = Message.objects.filter(room__name__startswith="Shortbread")
        return own.filter(deleted_at__isnull=False, author__agent=live_cast.ada).exists()

    def posts() -> list[str]:
        rooms = Room.objects.filter(parent__external_id=str(forum.id)).order_by("pk")
        return list(rooms.values_list("name", flat=True))

    run(work)
    assert posts() == ["Scones · recipes (Pond)", "Shortbread · recipes (Pond)"]
