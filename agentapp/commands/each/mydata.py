"""`/mydata`: what all agents remember of whoever asks."""

from __future__ import annotations

from agentapp.commands.shapes import Asked, Command, Said
from agentapp.privacy.asking import grant
from agentapp.privacy.rules import Wish, public_words


def _tell(asked: Asked) -> Said:
    # Whoever holds a link may be anybody who reads the room, so none leads to this.
    elsewhere = public_words(Wish.DATA)
    words = grant(asked.person, Wish.DATA) if asked.is_alone else elsewhere
    return Said(words, in_room=elsewhere)


COMMAND = Command(
    name="mydata",
    description="See what the agents remember of you.",
    carry_out=_tell,
)
