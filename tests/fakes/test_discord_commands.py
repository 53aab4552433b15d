"""Slash commands, buttons and forms between members of the fake and discord.py."""

from __future__ import annotations

import asyncio

import discord as library
import pytest
from discord import app_commands

from tests.fakes.discord import Bot, Discord, Guild, Person, Place
from tests.fakes.discord.guest import Guest


@pytest.fixture
def bot(discord: Discord) -> Bot:
    return discord.bot("reed")


@pytest.fixture
def pond(discord: Discord, bot: Bot) -> Guild:
    return discord.guild("Pond", bot)


@pytest.fixture
def lobby(pond: Guild) -> Place:
    return pond.channel("lobby")


@pytest.fixture
def anna(pond: Guild) -> Person:
    return pond.member("anna")


def offer(guest: Guest, *commands: app_commands.Command[library.Client, ..., None]) -> None:
    """Register commands for everybody."""

    async def register() -> None:
        tree = app_commands.CommandTree(guest.client)
        for command in commands:
            tree.add_command(command)
        await tree.sync()

    guest.does(register())


def test_a_command_is_answered(discord: Discord, bot: Bot, lobby: Place, anna: Person) -> None:
    @app_commands.command(name="ask", description="Ask me")
    async def ask(interaction: library.Interaction, question: str, times: int = 1) -> None:
        await interaction.response.send_message(f"{question}! " * times)

    with Guest(bot.token) as guest:
        guest.ready()
        offer(guest, ask)
        assert bot.offers() == {"ask"}
        asked = anna.runs("/ask", lobby, bot, question="why", times=2)
        assert asked.answer() == "why! why!"
    assert not asked.is_private
    assert [one.text for one in lobby.shows()] == ["why! why!"]


def test_a_command_in_a_dm_knows_who_asks(bot: Bot, anna: Person) -> None:
    @app_commands.command(name="who", description="Who am I?")
    async def who(interaction: library.Interaction) -> None:
        await interaction.response.send_message(interaction.user.name)

    with Guest(bot.token) as guest:
        guest.ready()
        offer(guest, who)
        assert anna.runs("/who", anna.dm(bot), bot).answer() == "anna"


def test_an_answer_may_come_later_and_for_one_alone(bot: Bot, lobby: Place, anna: Person) -> None:
    @app_commands.command(name="think", description="Think")
    async def think(interaction: library.Interaction) -> None:
        await interaction.response.defer(ephemeral=True, thinking=True)
        await go.wait()
        await interaction.edit_original_response(content="42")
        await interaction.followup.send("and more", ephemeral=True)

    go = asyncio.Event()
    with Guest(bot.token) as guest:
        guest.ready()
        offer(guest, think)
        asked = anna.runs("/think", lobby, bot)
        asked.stage.until(lambda: asked.waits)
        guest.client.loop.call_soon_threadsafe(go.set)
        assert asked.answer() == "42"
        asked.stage.until(lambda: asked.follow_ups() == ["and more"])
    assert asked.is_private
    assert lobby.shows() == []


def test_an_answer_that_comes_too_late_or_twice_is_refused(
    discord: Discord, bot: Bot, lobby: Place, anna: Person
) -> None:
    @app_commands.command(name="slow", description="Slow")
    async def slow(interaction: library.Interaction) -> None:
        discord.advance(4)
        await interaction.response.send_message("too late")

    with Guest(bot.token) as guest:
        guest.ready()
        offer(guest, slow)
        route = "POST /interactions/{interaction}/{token}/callback"
        anna.runs("/slow", lobby, bot)
        assert discord.until(lambda: discord.answers(route)) == [404]
    assert lobby.shows() == []


def test_a_button_in_a_dm_changes_its_message(discord: Discord, bot: Bot, anna: Person) -> None:
    class Card(library.ui.View):
        @library.ui.button(label="Yes", custom_id="draft:ok:7")
        async def yes(self, interaction: library.Interaction, _button: object) -> None:
            await interaction.response.edit_message(content="decided", view=None)

    async def send(guest: Guest) -> None:
        user = await guest.client.fetch_user(anna.id)
        await user.send("May I?", view=Card(timeout=None))

    with Guest(bot.token) as guest:
        guest.ready()
        guest.does(send(guest))
        card = anna.dm(bot).said("May I?")
        assert card.buttons == ["draft:ok:7"]
        anna.presses(card, "draft:ok:7")
        discord.until(lambda: card.text == "decided")
    assert card.buttons == []


def test_a_form_is_asked_for_and_filled_in(bot: Bot, lobby: Place, anna: Person) -> None:
    class Form(library.ui.Modal, title="Change it"):
        words: library.ui.TextInput[Form] = library.ui.TextInput(label="Words", custom_id="words")

        async def on_submit(self, interaction: library.Interaction) -> None:
            await interaction.response.send_message(self.words.value, ephemeral=True)

    @app_commands.command(name="change", description="Change")
    async def change(interaction: library.Interaction) -> None:
        await interaction.response.send_modal(Form(custom_id="form"))

    with Guest(bot.token) as guest:
        guest.ready()
        offer(guest, change)
        asked = anna.runs("/change", lobby, bot)
        asked.stage.until(lambda: asked.form)
        assert anna.fills_in(asked, words="better so").answer() == "better so"


def test_a_guild_may_have_commands_of_its_own(
    bot: Bot, pond: Guild, lobby: Place, anna: Person
) -> None:
    async def register(guest: Guest) -> None:
        tree = app_commands.CommandTree(guest.client)

        @tree.command(name="here", description="Here", guild=library.Object(pond.id))
        async def here(interaction: library.Interaction) -> None:
            await interaction.response.send_message("here")

        await tree.sync(guild=library.Object(pond.id))

    with Guest(bot.token) as guest:
        guest.ready()
        guest.does(register(guest))
        assert (bot.offers(), bot.offers(pond)) == (set(), {"here"})
        assert anna.runs("/here", lobby, bot).answer() == "here"
