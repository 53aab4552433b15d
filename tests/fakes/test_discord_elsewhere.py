"""A bot in another process needs two addresses and a token, nothing else."""

from __future__ import annotations

import subprocess
import sys

from tests.fakes.discord import Discord, Shown


def test_a_bot_in_another_process_is_served(discord: Discord) -> None:
    bot = discord.bot("reed")
    pond = discord.guild("Pond", bot)
    lobby, anna = pond.channel("lobby"), pond.member("anna")
    where = (discord.api_url, discord.gateway_url, bot.token)
    echo = subprocess.Popen([sys.executable, "-m", "tests.fakes.discord.echo", *where])
    try:
        discord.until(lambda: discord.connections, seconds=30)
        anna.says(lobby, "hello")
        discord.until(lambda: lobby.shows() == [Shown("anna", "hello"), Shown("reed", "hello")])
        # A process that is killed says no farewell: its session would still be there.
        echo.kill()
        discord.until(lambda: not discord.connections)
    finally:
        echo.kill()
        echo.wait()
