"""Where Discord is, and where something stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from django.conf import settings
from typing_extensions import override

from agentapp.foundation.errors import Refused

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
HTTPS_HOSTS = ("discord.com", "discordapp.com", "discordapp.net", "discord.gg")


class NotDiscord(Refused):
    """This address is not Discord's."""


def point() -> None:
    """Send every client of this process where the settings say; without a setting to Discord.

    Raises:
        NotDiscord: The settings name a server that is not on this machine: tokens would go there.
    """
    for address in filter(None, (settings.DISCORD_API, settings.DISCORD_GATEWAY)):
        if yarl.URL(address).host not in LOOPBACK:
            raise NotDiscord
    if settings.DISCORD_API:
        Route.BASE = settings.DISCORD_API
    if settings.DISCORD_GATEWAY:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.DISCORD_GATEWAY)


def checked_file_url(url: str) -> str:
    """Return a file's address if it is one of Discord's, or of the test server in its place.

    Raises:
        NotDiscord: It leads elsewhere.
    """
    at, base = yarl.URL(url), yarl.URL(Route.BASE)
    host = at.host or ""
    is_discord = any(host == one or host.endswith(f".{one}") for one in HTTPS_HOSTS)
    if (at.scheme == "https" and is_discord) or at.origin() == base.origin():
        return url
    raise NotDiscord


@dataclass(frozen=True, slots=True)
class FileAddress:
    """An attachment. Links to its bytes run out; its message gives out new ones."""

    channel_id: int
    message_id: int
    attachment_id: int

    @override
    def __str__(self) -> str:
        return f"{self.channel_id}/{self.message_id}/{self.attachment_id}"

    @classmethod
    def read(cls, source: str) -> Self:
        """Return what `str` made.

        Raises:
            ValueError: It is none.
        """
        channel, message, attachment = source.split("/")
        return cls(int(channel), int(message), int(attachment))
