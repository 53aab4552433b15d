"""The routes of the REST API. Importing this registers all of them."""

from __future__ import annotations

from tests.fakes.discord.routes import (
    accounts,
    channels,
    commands,
    guilds,
    interactions,
    messages,
    reactions,
    threads,
)

__all__ = [
    "accounts",
    "channels",
    "commands",
    "guilds",
    "interactions",
    "messages",
    "reactions",
    "threads",
]
