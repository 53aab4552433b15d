"""The baseline of idle logins: bare library clients, all in one process, doing nothing.

    python -m benchmarks.bare_clients matrix < logins.json

Reads one JSON list of logins from its input and says `ready` once all of them are connected.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

SYNC_MILLISECONDS = 30_000


async def _matrix(logins: list[dict[str, str]]) -> None:
    from nio import AsyncClient, AsyncClientConfig  # type: ignore[import-untyped]

    gate = asyncio.Semaphore(8)
    clients = []

    async def first(login: dict[str, str]) -> None:
        config = AsyncClientConfig(encryption_enabled=False, store_sync_tokens=False)
        client = AsyncClient(login["server"], login["id"], config=config)
        client.restore_login(login["id"], login["device"], login["token"])
        async with gate:
            await client.sync(timeout=0)
        clients.append(client)

    await asyncio.gather(*map(first, logins))
    _ready()
    await asyncio.gather(
        asyncio.Event().wait(), *(one.sync_forever(timeout=SYNC_MILLISECONDS) for one in clients)
    )


async def _discord(logins: list[dict[str, str]]) -> None:
    import discord
    import yarl
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    Route.BASE = os.environ["DISCORD_API"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["DISCORD_GATEWAY"])
    gate = asyncio.Semaphore(8)
    running = []

    async def first(login: dict[str, str]) -> None:
        intents = discord.Intents(
            guilds=True, guild_messages=True, dm_messages=True, message_content=True
        )
        client = discord.Client(intents=intents)
        async with gate:
            await client.login(login["token"])
            running.append(asyncio.create_task(client.connect()))
            await client.wait_until_ready()

    await asyncio.gather(*map(first, logins))
    _ready()
    await asyncio.gather(asyncio.Event().wait(), *running)


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run({"matrix": _matrix, "discord": _discord}[sys.argv[1]](json.loads(input())))
