"""What the pages ask for a login on a homeserver, and how the answers are proven."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from agentapp.foundation.errors import Unavailable
from agentapp.identity.platforms import MOST_CHARACTERS, Proven, Question
from bots.matrix.parse import PLATFORM, user_of

logger = logging.getLogger(__name__)


class MatrixPlatform:
    """Logins on Matrix homeservers.

    What talks to them is loaded when it is needed: every process makes this known at its start.
    """

    code = PLATFORM
    title = "Matrix"
    most_characters = MOST_CHARACTERS
    has_cards = False
    lead = "Make a user for the agent on a homeserver first, as you would for a person."
    invite_hint = "Invite it into a room with any Matrix app. The invitation then waits here."
    questions: tuple[Question, ...] = (
        Question("user", "User", "Such as @mira:example.org.", is_required=True),
        Question("password", "Password", "Used once, now. It is not stored.", is_secret=True),
        Question("token", "Access token", "Instead of the password.", is_secret=True, is_rare=True),
        Question(
            "homeserver",
            "Homeserver",
            "Only where the name is not enough, such as https://matrix.example.org.",
            is_rare=True,
        ),
    )

    def handle_of(self, answers: Mapping[str, str]) -> str:
        """Return the user's whole id, if it is one."""
        return user_of(answers.get("user", ""))

    def prove(self, answers: Mapping[str, str], *, earlier: str) -> Proven:
        """Log in once, or ask whose token it is."""
        from bots.matrix.proving import proven  # noqa: PLC0415

        try:
            return asyncio.run(proven(answers, earlier))
        except TimeoutError as error:
            raise Unavailable(
                "The homeserver is too slow to answer at the moment. Try again later."
            ) from error

    def end(self, secret: str) -> None:
        """Log out."""
        from bots.matrix.proving import log_out  # noqa: PLC0415

        try:
            asyncio.run(log_out(secret))
        except Exception as error:  # noqa: BLE001  (it is unused then, and listed among its sessions)
            logger.info("a login that nobody kept stays: %s", type(error).__name__)
