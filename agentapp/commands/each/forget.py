"""`/forget`: all agents start again with whoever asks."""

from __future__ import annotations

from agentapp.commands.clearing import forget_words
from agentapp.commands.shapes import Asked, Command, Said
from agentapp.privacy.asking import grant
from agentapp.privacy.rules import Wish, public_words


def _forget(asked: Asked) -> Said:
    forget_words(person=asked.person)
    words = grant(asked.person, Wish.FORGET, by=asked.handle.user)
    return Said(words, in_room=public_words(Wish.FORGET))


COMMAND = Command(
    name="forget",
    description="Start again: everything the agents remember of you goes, for good.",
    carry_out=_forget,
)
