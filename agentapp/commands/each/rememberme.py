"""`/rememberme`: takes `/neverremember` back."""

from __future__ import annotations

from agentapp.commands.shapes import Asked, Command, Said
from agentapp.privacy.asking import grant
from agentapp.privacy.rules import Wish


def _again(asked: Asked) -> Said:
    words = grant(asked.person, Wish.AGAIN, by=asked.handle.user)
    return Said(words, in_room=words)


COMMAND = Command(
    name="rememberme",
    description="Be remembered again, after /neverremember.",
    carry_out=_again,
)
