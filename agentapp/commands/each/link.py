"""`/link`: an owner proves that this handle is theirs, and gets approval cards here."""

from __future__ import annotations

from agentapp.cards.linking import use_code
from agentapp.commands.shapes import Asked, Command, Option, OptionKind, Said, Where
from agentapp.foundation.errors import AgentError

MAX_CODE = 40


def _link(asked: Asked) -> Said:
    agent_id = asked.call.agent_id or next(iter(asked.agents), 0)
    try:
        user = use_code(
            code=str(asked.call.options["code"]),
            platform=asked.call.platform,
            agent_id=agent_id,
            external_id=asked.call.author.external_id,
            name=asked.call.author.name,
        )
    except AgentError as error:
        return Said(error.message, is_done=False)
    return Said(f"You are {user} here. What waits for you comes here with two buttons.")


COMMAND = Command(
    name="link",
    description="Get approval cards in this chat, with a code from the dashboard.",
    carry_out=_link,
    options=(Option("code", "From Platforms", OptionKind.TEXT, is_required=True, most=MAX_CODE),),
    offered=frozenset({Where.DIRECT}),
)
