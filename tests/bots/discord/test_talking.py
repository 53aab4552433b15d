"""Members of a server and an agent hear each other, through the real intake and delivery."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from discord import utils

from agentapp.conversation.models import Message, Reaction
from agentapp.drafts.models import Outbound
from agentapp.drafts.services import retract
from agentapp.intake.models import Lane
from agentapp.turns.models import Turn
from bots import typing
from bots.bridge import Bridge
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
from tests.fakes.discord import Bot, Discord, Guild, Person, Place, Shown

pytestmark = pytest.mark.usefixtures("login")


def test_two_members_talk_with_an_agent_in_the_channel_picked_for_it(
    live_cast: Cast, bot: Bot, pond: Guild, tea: Place, ann: Person
) -> None:
    other = pond.channel("other")
    ben = pond.member("ben")
    ann.says(tea, "long before")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            asked = await bridge.call(partial(ann.says, tea, f"{bot.mention} hello?"))
            await bridge.call(ben.says, tea, "Good question")
            await bridge.call(partial(ann.says, other, f"{bot.mention} and here?"))
            await eventually(bridge, partial(record_of, tea), ["@ada hello?", "Good question"])
            draft = await bridge.call(
                partial(answers, live_cast.ada, tea, f"Yes {ben.mention}!", to=asked.id)
            )
            await eventually(bridge, lambda: status_of(draft), "published")

    run(work)
    said = tea.said(f"Yes {ben.mention}!")
    assert said.mentions == {"ann"}
    assert record_of(tea) == ["@ada hello?", "Good question", f"Yes {ben.mention}!"]
    assert record_of(other) == []
    shown = room_of(tea)
    assert (shown.name, shown.kind, shown.reply_mode) == ("tea (Pond)", "room", "approve")
    own = Message.objects.get(text=f"Yes {ben.mention}!", author__agent=live_cast.ada)
    assert Outbound.objects.get().message == own
    question = Message.objects.get(text="@ada hello?")
    assert [one.agent for one in question.mentions.all()] == [live_cast.ada]
    assert membership_of(live_cast.ada, tea) == "active"
    lane = Lane.objects.get(agent=live_cast.ada, room=shown)
    assert lane.wanted_through == Message.objects.get(text="Good question").pk


def test_edits_removals_and_reactions_reach_the_record(
    live_cast: Cast, pond: Guild, tea: Place, ann: Person
) -> None:
    mod = pond.moderator("mod")

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            first = await bridge.call(ann.says, tea, "frist")
            second = await bridge.call(ann.says, tea, "second")
            third = await bridge.call(ann.says, tea, "third")
            fourth = await bridge.call(ann.says, tea, "fourth")
            await bridge.call(ann.edits, first, "first")
            await bridge.call(ann.reacts, second, "👍")
            await bridge.call(ann.reacts, second, "🎉")
            await bridge.call(ann.unreacts, second, "🎉")
            await bridge.call(mod.deletes, third, fourth)
            await eventually(bridge, partial(record_of, tea), ["first", "second"])
            await eventually(
                bridge,
                lambda: list(
                    Reaction.objects.filter(is_present=True).values_list("emoji", flat=True)
                ),
                ["👍"],
            )

    run(work)
    assert Message.objects.filter(room=room_of(tea), deleted_at__isnull=False).count() == 2


def test_a_clock_that_jumps_back_keeps_the_order_of_reactions(
    live_cast: Cast, tea: Place, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, looks = utils.utcnow, count()
    monkeypatch.setattr(utils, "utcnow", lambda: right() - timedelta(hours=next(looks)))

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            said = await bridge.call(ann.says, tea, "Tea?")
            await bridge.call(ann.reacts, said, "👍")
            await bridge.call(ann.unreacts, said, "👍")
            await bridge.call(ann.says, tea, "No")
            await eventually(bridge, partial(record_of, tea), ["Tea?", "No"])

    run(work)
    assert [one.is_present for one in Reaction.objects.all()] == [False]


def test_it_reacts_edits_and_takes_back(live_cast: Cast, tea: Place, ann: Person) -> None:
    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            asked = await bridge.call(ann.says, tea, "Tea?")
            await eventually(bridge, partial(record_of, tea), ["Tea?"])
            reaction = await bridge.call(
                partial(
                    answers,
                    live_cast.ada,
                    tea,
                    "",
                    to=asked.id,
                    kind="reaction",
                    emoji="👍",
                )
            )
            await eventually(bridge, lambda: status_of(reaction), "published")
            assert asked.reactions == {"👍": {"ada"}}
            words = await bridge.call(partial(answers, live_cast.ada, tea, "Yes."))
            await eventually(bridge, lambda: status_of(words), "published")
            await bridge.call(partial(retract, draft_id=words.pk, by=live_cast.root))
            await bridge.call(partial(retract, draft_id=reaction.pk, by=live_cast.root))
            await eventually(bridge, lambda: status_of(words), "retracted")
            await eventually(bridge, lambda: status_of(reaction), "retracted")

    run(work)
    assert tea.shows() == [Shown("ann", "Tea?")]
    assert tea.messages()[0].reactions == {}
    assert record_of(tea) == ["Tea?"]


def test_it_shows_that_it_is_writing_while_a_model_works(
    live_cast: Cast, discord: Discord, tea: Place, ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing, "LOOK_SECONDS", 0.05)
    route = "POST /channels/{channel}/typing"

    def think() -> None:
        Turn.objects.create(
            workspace=live_cast.workspace,
            agent=live_cast.ada,
            room=room_of(tea),
            trigger_id=Message.objects.get(room=room_of(tea)).pk,
            status=Turn.Status.RUNNING,
            decision=Turn.Decision.RESPOND,
        )

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(ann.says, tea, "Tea?")
            await eventually(bridge, partial(record_of, tea), ["Tea?"])
            assert discord.answers(route) == []
            await bridge.call(think)
            await eventually(bridge, lambda: discord.answers(route), [204])
            await bridge.call(Turn.objects.update, status=Turn.Status.DONE)

    run(work)
    assert discord.answers(route) == [204]
