"""A Discord on loopback that speaks Discord's own protocols; see `server.Discord`."""

from __future__ import annotations

from tests.fakes.discord.faces import Asked, Message, Place, Shown
from tests.fakes.discord.faults import Fault
from tests.fakes.discord.limits import GLOBAL
from tests.fakes.discord.people import Bot, Guild, Person
from tests.fakes.discord.server import Discord

__all__ = [
    "GLOBAL",
    "Asked",
    "Bot",
    "Discord",
    "Fault",
    "Guild",
    "Message",
    "Person",
    "Place",
    "Shown",
]
