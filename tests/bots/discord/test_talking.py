"""Members of a server and an agent hear each other, through the real intake and delivery."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from discord import utils

from agentapp.conversation.models import Attachment, Message, Reaction
from agentapp.drafts.models import Draft, Outbound
from agentapp.drafts.services import Wish, approve, attach, propose, retract
from agentapp.files.queries import content_of
from agentapp.files.services import Given
from agentapp.identity.models import Agent, Room
from agentapp.intake.models import Lane
from agentapp.turns.models import Turn
from bots import typing
from bots.bridge import Bridge
from tests.bots.discord.world import (
    answers,
    discord_host,
    let_into,
    login_agent,
    membership_of,
    record_of,
    room_of,
)
from tests.bots.places import eventually, run, status_of
from tests.cast import Cast
from tests.fakes.discord import Discord, Place, Shown


def test_two_members_talk_with_an_agent_in_the_channel_picked_for_it(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, other = pond.channel("tea"), pond.channel("other")
    ann, ben = pond.member("ann"), pond.member("ben")
    ann.says(tea, "long before")
    login_agent(live_cast, live_cast.ada, bot)

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


def test_edits_removals_and_reactions_reach_the_record(live_cast: Cast, discord: Discord) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann, mod = pond.channel("tea"), pond.member("ann"), pond.moderator("mod")
    login_agent(live_cast, live_cast.ada, bot)

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
    live_cast: Cast, discord: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)
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


def test_it_reacts_edits_and_takes_back(live_cast: Cast, discord: Discord) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)

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


def test_direct_messages_and_threads_are_rooms_of_their_own(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)

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
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    forum, ann = pond.forum("recipes"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)

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


def test_long_words_come_in_pieces_that_discord_takes_and_only_the_first_answers(
    live_cast: Cast, discord: Discord
) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)
    code = "\n".join(f"print({number})" for number in range(500))
    text = f"So:\n```python\n{code}\n```\n{'🫖' * 500}"

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            asked = await bridge.call(ann.says, tea, "How?")
            await eventually(bridge, partial(record_of, tea), ["How?"])
            draft = await bridge.call(partial(answers, live_cast.ada, tea, text, to=asked.id))
            await eventually(bridge, lambda: status_of(draft), "published", seconds=20)

    run(work)
    pieces = tea.messages()[1:]
    assert len(pieces) == 3
    assert all(len(one.text) <= 2000 and one.text.count("```") % 2 == 0 for one in pieces)
    assert [one.answers is not None for one in pieces] == [True, False, False]
    assert [one.mentions for one in pieces] == [{"ann"}, set(), set()]


def test_files_come_and_go(live_cast: Cast, discord: Discord) -> None:
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)

    async def work(bridge: Bridge) -> None:
        async with discord_host(bridge):
            await let_into(bridge, live_cast, live_cast.ada, tea)
            await bridge.call(partial(ann.says, tea, "My list", files={"list.txt": b"tea\nmilk\n"}))
            await eventually(bridge, fetched, b"tea\nmilk\n", seconds=20)
            draft = await bridge.call(partial(waits, live_cast, tea))
            given = Given("plan.csv", b"a,b\n")
            put = partial(
                attach, draft_id=draft.pk, version=draft.version, given=given, by=live_cast.root
            )
            seen = await bridge.call(put)
            await bridge.call(
                partial(
                    approve,
                    draft_id=seen.pk,
                    version=seen.version,
                    content_hash=seen.content_hash,
                    by=live_cast.root,
                )
            )
            await eventually(bridge, lambda: status_of(draft), "published", seconds=20)

    def fetched() -> bytes | None:
        stored = Attachment.objects.values_list("file_id", flat=True).first()
        return content_of(stored) if stored else None

    run(work)
    assert [one.files for one in tea.messages()[1:]] == [{}, {"plan.csv": b"a,b\n"}]


def waits(cast: Cast, place: Place) -> Draft:
    """Let the agent want to say something that waits for its owner, who needs no second thought."""
    Agent.objects.filter(pk=cast.ada.pk).update(limits={"undo_seconds": 0})
    room = room_of(place).pk
    return propose(
        Wish(turn=None, agent_id=cast.ada.pk, room_id=room, text="Here.", kind="message")
    )


def test_it_shows_that_it_is_writing_while_a_model_works(
    live_cast: Cast, discord: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing, "LOOK_SECONDS", 0.05)
    bot = discord.bot("ada")
    pond = discord.guild("Pond", bot)
    tea, ann = pond.channel("tea"), pond.member("ann")
    login_agent(live_cast, live_cast.ada, bot)
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
