"""The platform hosts as a Django app: its commands, and what it offers the pages. No tables."""

from __future__ import annotations

from django.apps import AppConfig
from typing_extensions import override


class BotsConfig(AppConfig):
    """The connector side."""

    name = "bots"

    @override
    def ready(self) -> None:
        """Make the platforms known on which agents can have logins."""
        # Settings have to be complete before connectors are loaded.
        from agentapp.appservices import makers as services  # noqa: PLC0415
        from agentapp.identity.platforms import offer  # noqa: PLC0415
        from agentapp.keyring import makers  # noqa: PLC0415
        from bots.discord.offering import DiscordPlatform  # noqa: PLC0415
        from bots.matrix.ghosts.offering import MatrixServices  # noqa: PLC0415
        from bots.matrix.keys import MatrixKeys  # noqa: PLC0415
        from bots.matrix.offering import MatrixPlatform  # noqa: PLC0415

        offer(MatrixPlatform())
        makers.offer(MatrixKeys())
        services.offer(MatrixServices())
        offer(DiscordPlatform())
