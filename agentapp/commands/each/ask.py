"""`/ask`: puts words to an agent as if they were addressed to it; what it answers is a draft."""

from __future__ import annotations

from agentapp.commands.shapes import Asked, Command, Option, OptionKind, Said
from agentapp.foundation.envelope import Incoming
from agentapp.identity.models import Account, Agent
from agentapp.intake.services import accept
from agentapp.relations.queries import left_alone

MAX_WORDS = 4_000


def _ask(asked: Asked) -> Said:
    if not asked.agents:
        return Said("No agent is here that could answer.", is_done=False)
    if why_not := _why_not(asked):
        return Said(why_not, in_room=why_not, is_done=False)
    call, agent_id = asked.call, asked.agents[0]
    logins = Account.objects.filter(
        workspace_id=call.workspace_id, agent=agent_id, platform=call.platform
    )
    accept(
        Incoming(
            workspace_id=call.workspace_id,
            platform=call.platform,
            place=call.place,
            external_id=call.message_external_id or call.external_id,
            author=call.author,
            text=str(call.options["text"]),
            reply_to=call.target,
            mentions=tuple(logins.values_list("external_id", flat=True)),
            sent_at=call.at,
        )
    )
    name = Agent.objects.values_list("name", flat=True).get(pk=agent_id)
    return Said(f"{name} was asked.", is_told=True, agent_id=agent_id)


def _why_not(asked: Asked) -> str:
    """Say why nothing would come of it; "" when something may."""
    room_id = asked.room.pk if asked.room else 0
    alone = left_alone(rooms=[room_id], people=[asked.person.pk])
    if asked.person.pk in alone.stopped:
        return "You asked to be left alone. `/stop undo` takes it back."
    if alone.reason(room_id=room_id, people=[asked.person.pk]):
        return "It is quiet here. `/quiet off` takes it back."
    return ""


COMMAND = Command(
    name="ask",
    description="Ask the agent something, as if you wrote to it.",
    carry_out=_ask,
    options=(Option("text", "What to ask", OptionKind.TEXT, is_required=True, most=MAX_WORDS),),
    is_private=False,
)
