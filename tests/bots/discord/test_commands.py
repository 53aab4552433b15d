"""Members use commands on Discord; each is answered in time, to whom it may concern."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from agentapp.commands import registry
from agentapp.commands.models import CommandCall
from agentapp.commands.shapes import Where
from agentapp.conversation.models import Message
from agentapp.drafts.models import Draft
from agentapp.identity.models import Account
from agentapp.intake.models import Lane
from bots.bridge import Bridge
from bots.discord import commands, connection
from tests.bots.discord.world import (
    answers,
    discord_host,
    let_into,
    membership_of,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Asked, Bot, Discord, Guild, Person, Place

Use = Callable[[], Asked]
MARK = commands.fingerprint(commands.registered())

pytestmark = pytest.mark.usefixtures("login")


async def told(bridge: Bridge, use: Use) -> Asked:
    """Use a command; return it once its words have come."""
    asked = await bridge.call(use)
    await eventually(bridge, lambda: asked.is_answered and not asked.waits, True)
    return asked


def test_every_command_is_offered_once_and_again_only_when_they_change(
    live_cast: Cast, discord: Discord, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await eventually(bridge, partial(offered_mark, live_cast), MARK)
        async with discord_host(bridge):
            await eventually(bridge, lambda: discord.connections, 1)
        assert puts(discord) == 1
        monkeypatch.setattr(connection, "registered", lambda: commands.registered()[:1])
        async with discord_host(bridge):
            await eventually(bridge, partial(puts, discord), 2)

    menu = {one.label for one in registry.definitions(offered=Where.MENU)}
    wanted = {one["name"] for one in commands.registered()}
    assert {"ask", "why", "quiet", "stop", "help"} | menu <= wanted
    run(work)
    assert bot.offers() == {commands.registered()[0]["name"]}


def offered_mark(cast: Cast) -> object:
    return Account.objects.get(agent=cast.ada, platform="discord").cursor.get("commands")


def puts(discord: Discord) -> int:
    return len(discord.answers("PUT /applications/{app}/commands"))


def test_help_is_for_the_asker_alone(live_cast: Cast, bot: Bot, tea: Place, ann: Person) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            asked = await told(bridge, partial(ann.runs, "/help", tea, bot))
            assert asked.is_private
            assert "/stop" in asked.answer()

    run(work)
    assert tea.shows() == []
    assert not Draft.objects.exists()


def test_why_tells_of_the_message_whose_menu_was_opened(
    live_cast: Cast, bot: Bot, tea: Place, ann: Person
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            draft = await bridge.call(partial(answers, live_cast.ada, tea, "Shortbread."))
            await eventually(bridge, lambda: status_of(draft), "published")
            message = tea.said("Shortbread.")
            label = "Why did it write this?"
            asked = await told(bridge, partial(ann.picks, label, message, bot))
            assert asked.is_private
            assert asked.answer() not in {"", commands.FAILED, commands.DONE}
            own = await bridge.call(ann.says, tea, "Mine")
            await eventually(bridge, partial(record_of, tea), ["Shortbread.", "Mine"])
            other = await told(bridge, partial(ann.picks, label, own, bot))
            assert "not written by one of the agents" in other.answer()

    run(work)


def test_what_is_asked_with_a_command_is_answered_like_a_message(
    live_cast: Cast, bot: Bot, tea: Place, ann: Person
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            ask = partial(ann.runs, "/ask", tea, bot, text="Tea or coffee?")
            asked = await told(bridge, ask)
            assert asked.answer() == "> Tea or coffee?"
            assert not asked.is_private
            await eventually(bridge, lambda: "Tea or coffee?" in record_of(tea), True)
            shown = tea.said("> Tea or coffee?").id
            await bridge.call(partial(answers, live_cast.ada, tea, "Tea.", to=shown))
            said = await bridge.call(tea.said, "Tea.")
            assert said.answers == tea.said("> Tea or coffee?").id

    run(work)
    question = Message.objects.get(text="Tea or coffee?")
    assert question.author is not None
    assert question.author.external_id == str(ann.id)
    assert [one.agent for one in question.mentions.all()] == [live_cast.ada]
    lane = Lane.objects.get(agent=live_cast.ada, room=room_of(tea))
    assert lane.wanted_through == question.pk


def test_stop_is_heard_at_once_and_stops_what_was_approved(
    live_cast: Cast, bot: Bot, tea: Place, ann: Person
) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            question = await bridge.call(ann.says, tea, f"{bot.mention} tea?")
            await eventually(bridge, partial(record_of, tea), ["@ada tea?"])
            asked = await told(bridge, partial(ann.runs, "/stop", tea, bot))
            assert asked.is_private
            draft = await bridge.call(
                partial(answers, live_cast.ada, tea, "Black.", to=question.id)
            )
            await eventually(bridge, lambda: status_of(draft) in {"blocked", "withdrawn"}, True)

    run(work)
    assert [one.text for one in tea.shows()] == [f"{bot.mention} tea?"]


def test_moderators_commands_are_asked_for_their_right_again(
    live_cast: Cast, bot: Bot, pond: Guild, tea: Place, ann: Person
) -> None:
    mod = pond.moderator("mod")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            refused = await told(bridge, partial(ann.runs, "/mute", tea, bot, hours=1.0))
            assert "looks after this room" in refused.answer()
            await told(bridge, partial(mod.runs, "/mute", tea, bot, hours=1.0))
            await eventually(bridge, partial(membership_of, live_cast.ada, tea), "muted")

    run(work)
    assert membership_of(live_cast.ada, tea) == "muted"


def test_what_is_typed_is_a_command_too_also_while_nobody_listens(
    live_cast: Cast, bot: Bot, pond: Guild, tea: Place, ann: Person
) -> None:
    mod = pond.moderator("mod")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(mod.says, tea, f"!mute {bot.name} 2h")
            await eventually(bridge, partial(membership_of, live_cast.ada, tea), "muted")
            await bridge.call(ann.says, tea, "!unmute ada")
            await bridge.call(ann.says, tea, "Never mind the muting")
            await eventually(bridge, lambda: len(record_of(tea)) >= 3, True)
            assert await bridge.call(membership_of, live_cast.ada, tea) == "muted"
        await bridge.call(ann.says, tea, f"{bot.mention} leave me alone")
        async with discord_host(bridge):
            await eventually(bridge, stops, 1)

    def stops() -> int:
        return CommandCall.objects.filter(command="stop", is_done=True).count()

    run(work)
    assert stops() == 1
