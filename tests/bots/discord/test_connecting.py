"""Owners connect a bot, pick its channels and have it leave; what they are told is true."""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest
from discord import Permissions

from agentapp.events.models import Event
from agentapp.foundation.errors import Conflict, NotFound, Refused
from agentapp.identity.models import Account
from agentapp.identity.platforms import Details, WrongAnswer
from agentapp.identity.services.logins import LoginTaken, connect
from agentapp.intake.doorways import pick_doorway
from agentapp.notifications.models import Notification
from agentapp.presence import doorways
from agentapp.presence.models import Doorway
from bots.bridge import Bridge
from bots.discord.proving import (
    ELSEWHERE,
    NOT_SWITCHED_ON,
    PERMISSIONS,
    READS_ALONG,
    READS_WHAT_IT_IS_TOLD,
    REFUSED,
    SEES_NOBODY_COME,
    SEES_WHO_COMES,
)
from tests.bots.discord.world import (
    discord_host,
    is_shown,
    let_into,
    pick,
    record_of,
)
from tests.bots.places import eventually, run
from tests.cast import Cast
from tests.fakes.discord import Bot, Discord, Guild, Place
from tests.fakes.discord.intents import MEMBERS, MESSAGE_CONTENT


def connected(cast: Cast, bot: Bot, **answers: str) -> Account:
    given = {"token": bot.token, **answers}
    return connect(agent_id=cast.ada.pk, platform="discord", answers=given, by=cast.root)


def test_a_token_is_proven_and_its_card_says_what_the_bot_can_read(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada", privileged=0)
    account = connected(live_cast, bot)
    told = Details.unpacked(account.details)
    assert (account.external_id, told.name) == (str(bot.id), "@ada")
    assert told.notes == (READS_WHAT_IT_IS_TOLD, SEES_NOBODY_COME)
    assert told.invite_url.startswith("https://discord.com/oauth2/authorize")
    assert f"client_id={bot.id}" in told.invite_url
    asked = Permissions(int(parse_qs(urlsplit(told.invite_url).query)["permissions"][0]))
    assert not asked.administrator
    assert asked == PERMISSIONS
    assert discord.heard["identify"] == 0


def test_reading_along_is_switched_on_where_its_owner_asks(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada", privileged=0)
    account = connected(live_cast, bot, content="yes")
    assert Details.unpacked(account.details).notes == (READS_ALONG, SEES_NOBODY_COME)
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(ann.says, tea, "Among ourselves")
            await eventually(bridge, partial(record_of, tea), ["Among ourselves"])

    run(work)


def test_without_it_only_what_is_meant_for_the_bot_has_words(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada", privileged=0)
    connected(live_cast, bot)
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(ann.says, tea, "Among ourselves")
            await bridge.call(ann.says, tea, f"{bot.mention} tea?")
            await eventually(bridge, partial(record_of, tea), ["@ada tea?"])

    run(work)
    assert record_of(tea) == ["@ada tea?"]


@pytest.mark.parametrize(
    ("wished", "name"),
    [("content", "Message Content Intent"), ("members", "Server Members Intent")],
)
def test_a_switch_that_discord_refuses_is_said(
    live_cast: Cast, discord: Discord, wished: str, name: str
) -> None:
    bot = discord.bot("ada", privileged=0)
    discord.fails("PATCH /applications/@me", 403)
    told = Details.unpacked(connected(live_cast, bot, **{wished: "yes"}).details)
    no = NOT_SWITCHED_ON.format(name=name)
    assert told.notes == (READS_WHAT_IT_IS_TOLD, SEES_NOBODY_COME, no)


def test_what_discord_allows_is_on_though_it_refuses_the_other(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada", privileged=0)
    discord.fails("PATCH /applications/@me", 403)  # the first of the two
    account = connected(live_cast, bot, content="yes", members="yes")
    no = NOT_SWITCHED_ON.format(name="Message Content Intent")
    assert Details.unpacked(account.details).notes == (READS_WHAT_IT_IS_TOLD, SEES_WHO_COMES, no)
    assert bot.app.enabled == MEMBERS

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, lambda: discord.connections, 1)

    run(work)
    account.refresh_from_db()
    assert Details.unpacked(account.details).notes == (READS_WHAT_IT_IS_TOLD, SEES_WHO_COMES)


def test_commands_that_go_elsewhere_are_said(live_cast: Cast, discord: Discord) -> None:
    bot = discord.bot("ada", privileged=MESSAGE_CONTENT)
    bot.app.interactions_endpoint_url = "https://example.org/hook"
    told = Details.unpacked(connected(live_cast, bot).details)
    assert ELSEWHERE in told.notes


@pytest.mark.parametrize("token", ["nonsense", "", "\x00\ud800"])
def test_a_wrong_token_is_named(live_cast: Cast, discord: Discord, token: str) -> None:
    with pytest.raises(WrongAnswer) as refused:
        connect(
            agent_id=live_cast.ada.pk,
            platform="discord",
            answers={"token": token},
            by=live_cast.root,
        )
    assert refused.value.question == "token"
    assert token == "" or refused.value.message == REFUSED
    assert not Account.objects.filter(platform="discord").exists()


def test_one_token_is_one_agents(live_cast: Cast, discord: Discord) -> None:
    bot = discord.bot("ada")
    connected(live_cast, bot)
    with pytest.raises(LoginTaken):
        connect(
            agent_id=live_cast.bo.pk,
            platform="discord",
            answers={"token": bot.token},
            by=live_cast.root,
        )


@pytest.mark.usefixtures("login")
def test_a_new_server_is_told_once_and_nothing_there_is_read(
    live_cast: Cast, discord: Discord, bot: Bot
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, lambda: discord.connections, 1)
            pond = await bridge.call(discord.guild, "Pond", bot)
            tea = await bridge.call(pond.channel, "tea")
            shut = await bridge.call(pond.channel, "shut")
            await bridge.call(partial(shut.denies, bot, "send_messages"))
            ann = await bridge.call(pond.member, "ann")
            await bridge.call(ann.says, tea, f"{bot.mention} hello")
            await eventually(bridge, partial(is_shown, live_cast.ada, tea), True)
            await eventually(bridge, lambda: hindered(shut.id), True)
            await bridge.call(pond.channel, "late")
            await eventually(bridge, Doorway.objects.count, 3)
            assert await bridge.call(record_of, tea) == []
            with pytest.raises(Refused):
                await bridge.call(pick, live_cast, live_cast.ada, shut)

    def hindered(channel_id: int) -> bool:
        return Doorway.objects.exclude(hindrance="").filter(external_id=channel_id).exists()

    run(work)
    told = Notification.objects.get(user=live_cast.ada.owner, kind__startswith="login.group")
    assert "Pond" in told.text
    assert Event.objects.filter(type="account.group_entered").count() == 1


def test_only_who_manages_the_agent_picks_and_leaves(
    live_cast: Cast, login: Account, tea: Place
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, partial(is_shown, live_cast.ada, tea), True)

    run(work)
    doorway = Doorway.objects.get()
    for stranger in (live_cast.sam, live_cast.mallory):
        with pytest.raises((NotFound, Refused)):
            pick_doorway(doorway_id=doorway.pk, by=stranger)
        with pytest.raises((NotFound, Refused)):
            doorways.leave_group(account_id=login.pk, group_id=doorway.group_id, by=stranger)
    pick_doorway(doorway_id=doorway.pk, by=live_cast.root)
    with pytest.raises(Conflict):
        pick_doorway(doorway_id=doorway.pk, by=live_cast.root)


def test_a_server_that_its_owner_leaves_is_left(
    live_cast: Cast, discord: Discord, login: Account, bot: Bot, pond: Guild, tea: Place
) -> None:
    sea = discord.guild("Sea", bot)
    shore = sea.channel("shore")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, partial(is_shown, live_cast.ada, shore), True)
            await eventually(bridge, partial(is_shown, live_cast.ada, tea), True)
            leave = partial(
                doorways.leave_group,
                account_id=login.pk,
                group_id=str(pond.id),
                by=live_cast.root,
            )
            await bridge.call(leave)
            await eventually(bridge, partial(is_shown, live_cast.ada, tea), False)

    run(work)
    assert bot.id not in pond.it.members
    assert bot.id in sea.it.members
    assert Doorway.objects.get().external_id == str(shore.id)
