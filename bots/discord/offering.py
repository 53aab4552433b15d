"""What the pages ask for a bot on Discord, and how the answers are proven."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agentapp.foundation.errors import Unavailable
from agentapp.identity.platforms import Proven, Question

PLATFORM = "discord"


class DiscordPlatform:
    """Bots on Discord.

    What talks to Discord is loaded when it is needed: every process makes this known at its start.
    """

    code = PLATFORM
    title = "Discord"
    most_characters = 2_000  # code points
    has_cards = True
    lead = (
        "Make an application at discord.com/developers, then copy the token from its Bot page. "
        "Leave everything else there as it is."
    )
    invite_hint = (
        "Invite it into a server with the link on its card, then choose its channels there."
    )
    questions: tuple[Question, ...] = (
        Question("token", "Token", "Shown once in the developer portal.", True, is_secret=True),
        Question(
            "content",
            "Let it read everything said in its channels",
            "Without this it sees only what mentions it, answers it or is a direct message.",
            is_choice=True,
        ),
        Question(
            "members",
            "Let it notice who comes into its servers and who leaves",
            "Without this it goes on answering people who have left, and People does not say who "
            "is gone.",
            is_choice=True,
        ),
    )

    def handle_of(self, answers: Mapping[str, str]) -> str:
        """Return nothing: only Discord can say whose token it is."""
        return ""

    def prove(self, answers: Mapping[str, str], *, earlier: str) -> Proven:
        """Ask Discord whose token it is."""
        from bots.discord.proving import proven  # noqa: PLC0415

        try:
            return asyncio.run(proven(answers))
        except TimeoutError as error:
            raise Unavailable("Discord is too slow to answer at the moment.") from error

    def end(self, secret: str) -> None:
        """Do nothing: asking whose token it is began nothing."""
