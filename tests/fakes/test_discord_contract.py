"""Discord's own document judges what discord.py sends and what the fake answers."""

from __future__ import annotations

import io
from dataclasses import replace

import discord as library
import pytest
from discord import app_commands

from tests.fakes.discord import Discord
from tests.fakes.discord.contract import VARIABLE, Contract, contract
from tests.fakes.discord.guest import Guest

# Of first answers the document describes only messages, not the promise of one.
FIRST_ANSWER = "POST /interactions/{interaction}/{token}/callback"

TOUR = {
    "POST /channels/{channel}/messages",
    "PATCH /channels/{channel}/messages/{message}",
    "POST /channels/{channel}/messages/{message}/threads",
    "POST /channels/{channel}/threads",
    "PATCH /channels/{channel}",
    "POST /users/@me/channels",
    "PUT /applications/{app}/commands",
    FIRST_ANSWER,
    "PATCH /webhooks/{app}/{token}/messages/{message}",
    "POST /webhooks/{app}/{token}",
    "PATCH /guilds/{guild}/members/@me",
}


@pytest.fixture(scope="module")
def judge() -> Contract:
    found = contract()
    if found is None:
        pytest.skip(f"{VARIABLE} does not say where Discord's OpenAPI document lies")
    return found


async def talks(client: library.Client, place_id: int) -> None:
    """Use everything that a bot does in a channel."""
    place = client.get_channel(place_id)
    assert isinstance(place, library.TextChannel)
    file = library.File(io.BytesIO(b"notes"), "notes.txt", description="notes")
    embed = library.Embed(title="A", description="B").add_field(name="c", value="d")
    first = await place.send("hello", file=file, embed=embed, nonce="a" * 22)
    reply = await first.reply("and", allowed_mentions=library.AllowedMentions.none())
    await reply.edit(content="and more")
    await reply.add_reaction("👍")
    await place.typing()
    thread = await first.create_thread(name="thread")
    await thread.send("inside")
    await thread.edit(archived=True)
    await place.create_thread(name="free", type=library.ChannelType.public_thread)
    await reply.delete()
    await place.guild.active_threads()
    assert place.guild.me
    await place.guild.me.edit(nick="Reed")
    assert [one async for one in place.history(limit=5)]


async def writes_a_card(client: library.Client, user_id: int, forum_id: int) -> None:
    user = await client.fetch_user(user_id)
    view = library.ui.View(timeout=None)
    view.add_item(library.ui.Button(label="Yes", custom_id="draft:ok:1"))
    await user.send("May I?", view=view)
    forum = client.get_channel(forum_id)
    assert isinstance(forum, library.ForumChannel)
    await forum.create_thread(name="post", content="what if")


async def offers(client: library.Client) -> None:
    tree = app_commands.CommandTree(client)

    @tree.command(name="ask", description="Ask")
    @app_commands.choices(kind=[app_commands.Choice(name="Kind", value="kind")])
    async def ask(interaction: library.Interaction, question: str, kind: str = "") -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await interaction.edit_original_response(content=question + kind)
        await interaction.followup.send("more", ephemeral=True)

    await tree.sync()


def tour(discord: Discord) -> None:
    """Have a bot do everything that the product is going to need."""
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, forum, anna = pond.channel("lobby"), pond.forum("ideas"), pond.member("anna")
    with Guest(bot.token) as guest:
        client = guest.ready().client
        guest.does(talks(client, lobby.id))
        guest.does(writes_a_card(client, anna.id, forum.id))
        guest.does(offers(client))
        asked = anna.runs("/ask", lobby, bot, question="why")
        assert asked.answer() == "why"
        guest.hears("app_command_completion")


def test_the_document_allows_every_request(discord: Discord, judge: Contract) -> None:
    tour(discord)
    sent = {seen.route for seen in discord.requests if seen.body is not None}
    assert sent >= TOUR
    assert [wrong for seen in discord.requests for wrong in judge.wrong_with(seen)] == []


def test_the_fake_answers_as_the_document_says(discord: Discord, judge: Contract) -> None:
    tour(discord)
    known = [seen for seen in discord.requests if seen.route != FIRST_ANSWER]
    wrong = [wrong for seen in known for wrong in judge.wrong_with_answer(seen)]
    assert wrong == []


def test_the_judge_finds_what_is_wrong(discord: Discord, judge: Contract) -> None:
    bot = discord.bot("reed")
    lobby = discord.guild("Pond", bot).channel("lobby")
    with Guest(bot.token) as guest:
        guest.ready()
        guest.does(guest.channel(lobby.id).send("hello"))
    seen = discord.requests[-1]
    assert judge.wrong_with(seen) == []
    for body in ({"content": 7}, {"content": "x" * 4001}, {"nonce": "x" * 26}, None):
        assert judge.wrong_with(replace(seen, body=body)), body
    assert judge.wrong_with(replace(seen, path="/channels/1/nonsense"))
    assert judge.wrong_with_answer(replace(seen, answer={"id": 7}))
