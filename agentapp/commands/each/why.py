"""`/why`: why an agent wrote a message, told from the record of its decision."""

from __future__ import annotations

from agentapp.commands.explaining import explain, meant_message
from agentapp.commands.shapes import Asked, Command, Said, Where


def _why(asked: Asked) -> Said:
    message = meant_message(asked)
    if message is None:
        words = "That was not written by one of the agents here."
        return Said(words, in_room=words, is_done=False)
    author = message.author
    return Said(explain(message, asked), agent_id=author.agent_id if author else None)


COMMAND = Command(
    name="why",
    description="See why the agent wrote the message you reply to, or its last one.",
    carry_out=_why,
    offered=frozenset({Where.ROOM, Where.DIRECT, Where.MENU}),
    label="Why did it write this?",
)
