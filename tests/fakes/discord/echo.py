"""A bot in a process of its own: `python -m tests.fakes.discord.echo <api> <gateway> <token>`."""

from __future__ import annotations

import sys

import discord
from tests.fakes.discord.pointing import pointed_at


class Echo(discord.Client):
    """Says again what people say."""

    async def on_message(self, message: discord.Message) -> None:
        if not message.author.bot:
            await message.reply(message.content)


def main(api_url: str, gateway_url: str, token: str) -> None:
    """Run until the process is ended."""
    intents = discord.Intents(guilds=True, messages=True, message_content=True)
    with pointed_at(api_url, gateway_url):
        Echo(intents=intents).run(token, log_handler=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
