"""`/neverremember`: agents answer whoever asks without memory from now on."""

from __future__ import annotations

from agentapp.commands.shapes import Asked, Command, Said
from agentapp.privacy.asking import grant
from agentapp.privacy.rules import Wish


def _never(asked: Asked) -> Said:
    words = grant(asked.person, Wish.NEVER, by=asked.handle.user)
    return Said(words, in_room=words)


COMMAND = Command(
    name="neverremember",
    description="Nothing you say is remembered from now on. /rememberme takes it back.",
    carry_out=_never,
)
