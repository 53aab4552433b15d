"""People come into servers and leave them: noticed where Discord lets a bot see it."""

from __future__ import annotations

from functools import partial

import pytest

from agentapp.drafts.models import Draft
from agentapp.drafts.services import Wish, propose
from agentapp.events.models import Event
from agentapp.identity.models import Account, Identity, Stay
from bots.bridge import Bridge
from tests.bots.discord.world import discord_host, let_into, login_agent, record_of, room_of
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Guild, Person, Place
from tests.fakes.discord.intents import MEMBERS, MESSAGE_CONTENT

COMING, GOING = "person.joined", "person.left"


def moves(*who: Person) -> list[str]:
    """Return who came and who went, in the order in which it was noted."""
    people = {one.id: one.name for one in who}
    events = list(Event.objects.filter(type__in=[COMING, GOING]).order_by("pk"))
    handles = {one.pk: int(one.external_id) for one in Identity.objects.filter(platform="discord")}
    return [
        f"{people.get(handles[one.payload['handle']])} {one.type.partition('.')[2]}"
        for one in events
    ]


def are_gone() -> list[str]:
    gone = Stay.objects.filter(left_at__isnull=False).order_by("group_name")
    return [f"{stay.identity.name} from {stay.group_name}" for stay in gone]


def wishes_to_answer(cast: Cast, who: Person, place: Place, text: str = "Yes?") -> Draft:
    """Let Ada want to answer somebody; it waits for her owner."""
    person = Identity.objects.get(external_id=str(who.id)).person_id
    return propose(
        Wish(
            turn=None,
            agent_id=cast.ada.pk,
            kind="message",
            room_id=room_of(place).pk,
            person_id=person,
            text=text,
        )
    )


def test_who_leaves_is_answered_no_more_until_they_are_back(
    live_cast: Cast, login: Account, pond: Guild, tea: Place, ann: Person
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(ann.says, tea, "Ada?")
            await eventually(bridge, partial(record_of, tea), ["Ada?"])
            waits = await bridge.call(wishes_to_answer, live_cast, ann, tea)
            await bridge.call(pond.removes, ann)
            await eventually(bridge, are_gone, ["Ann from Pond"])
            assert await bridge.call(status_of, waits) == "withdrawn"
            late = await bridge.call(wishes_to_answer, live_cast, ann, tea)
            assert (late.status, late.reason) == ("blocked", "Who it answers has left.")
            await bridge.call(pond.welcomes, ann)
            await eventually(bridge, are_gone, [])
            now = await bridge.call(wishes_to_answer, live_cast, ann, tea)
            assert now.status == "pending"

    run(work)
    assert moves(ann) == ["ann left", "ann joined"]


def test_a_session_that_is_taken_up_again_says_nothing_twice(
    live_cast: Cast, discord: Discord, login: Account, pond: Guild, tea: Place
) -> None:
    ben = discord.person("ben")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(pond.welcomes, ben)
            await bridge.call(come_and_go)
            noted = ["ben joined", "ben left", "ben joined"]
            await eventually(bridge, partial(moves, ben), noted)
            await bridge.call(ben.says, tea, "Here I am")
            await eventually(bridge, partial(record_of, tea), ["Here I am"])

    def come_and_go() -> None:
        with discord.go_away():
            pond.removes(ben)
            pond.welcomes(ben)
        discord.until(lambda: discord.connections == 1)

    run(work)
    assert discord.heard["identify"] == 1
    assert len(moves(ben)) == 3
    assert are_gone() == []


def test_who_came_and_went_in_a_gap_is_noticed_after_it(
    live_cast: Cast, discord: Discord, login: Account, pond: Guild, tea: Place, ann: Person
) -> None:
    ben, cem = pond.member("ben"), pond.member("cem")

    async def before(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            for who in (ann, ben, cem):
                await bridge.call(who.says, tea, "Ada?")
            await bridge.call(pond.removes, ben)
            await eventually(bridge, are_gone, ["Ben from Pond"])
            await eventually(bridge, partial(record_of, tea), ["Ada?"] * 3)

    async def after(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, are_gone, ["Ann from Pond"])

    run(before)
    waits = wishes_to_answer(live_cast, ann, tea)
    pond.removes(ann)
    pond.welcomes(ben)
    run(after)
    assert sorted(moves(ann, ben, cem)) == ["ann left", "ben joined", "ben left"]
    assert status_of(waits) == "withdrawn"
    assert discord.heard["members"] == 1


def test_leaving_one_server_is_not_leaving_another(
    live_cast: Cast, discord: Discord, bot: Bot, login: Account, pond: Guild, tea: Place
) -> None:
    sea = discord.guild("Sea", bot)
    shore, ben = sea.channel("shore"), pond.member("ben")
    sea.welcomes(ben)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea, shore)
            for place in (tea, shore):
                await bridge.call(ben.says, place, "Ada?")
                await eventually(bridge, partial(record_of, place), ["Ada?"])
            await bridge.call(pond.removes, ben)
            await eventually(bridge, are_gone, ["Ben from Pond"])
            drafts = [
                await bridge.call(wishes_to_answer, live_cast, ben, place) for place in (tea, shore)
            ]
            assert [one.status for one in drafts] == ["blocked", "pending"]

    run(work)


def test_bots_and_people_of_servers_where_it_does_not_talk_are_not_noticed(
    live_cast: Cast, discord: Discord, bot: Bot, login: Account, pond: Guild, tea: Place
) -> None:
    sea = discord.guild("Sea", bot)
    cleo, robot = discord.person("cleo"), discord.bot("robot")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            for guild, who in ((sea, cleo), (pond, robot)):
                await bridge.call(guild.welcomes, who)
                await bridge.call(guild.removes, who)
            await bridge.call(pond.removes, await bridge.call(pond.member, "stranger"))
            await bridge.call(pond.welcomes, cleo)
            await eventually(bridge, lambda: moves(cleo)[-1:], ["cleo joined"])

    run(work)
    assert moves(cleo) == ["None joined", "None left", "cleo joined"]
    assert not Identity.objects.filter(external_id=str(robot.id)).exists()


@pytest.mark.parametrize("privileged", [MESSAGE_CONTENT, MESSAGE_CONTENT | MEMBERS])
def test_without_the_intent_nobody_is_seen_to_leave(
    live_cast: Cast, discord: Discord, privileged: int
) -> None:
    bot = discord.bot("ada", privileged=privileged)
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)
    noted = ["ann left", "ann joined"] if privileged & MEMBERS else []

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(ann.says, tea, "Bye")
            await bridge.call(pond.removes, ann)
            await bridge.call(pond.welcomes, ann)
            await bridge.call(ann.says, tea, "Hello again")
            await eventually(bridge, partial(record_of, tea), ["Bye", "Hello again"])
            await eventually(bridge, partial(moves, ann), noted)

    run(work)
    assert moves(ann) == noted
