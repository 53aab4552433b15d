"""What whoever looks after a room orders about one of its agents, or about all of them."""

from __future__ import annotations

from agentapp.commands.shapes import ALL, Asked, Call, Said
from agentapp.moderation import rooms as moderation
from agentapp.moderation.orders import Order
from agentapp.presence.models import Membership

NOTHING = "Nothing changed: no such agent is here, or it was so already."
_DONE = {
    "mute": "Muted here: {}.",
    "unmute": "May talk here again: {}.",
    "remove": "Taken out of this room: {}.",
    "delete": "Last messages taken back: {}.",
}


def carry_out(asked: Asked) -> Said:
    """Give the order about each agent that it names; the room hears of it from the agents."""
    call = asked.call
    changed = [
        each.agent.name for each in _meant(asked) if moderation.obey(_order(call, each.agent_id))
    ]
    if not changed:
        return Said(NOTHING, is_told=True, is_done=False)
    return Said(_DONE[call.command].format(", ".join(changed)), is_told=True)


def _meant(asked: Asked) -> list[Membership]:
    """Return the presences that an order is about, in the order of their agents."""
    if asked.room is None:
        return []
    here = Membership.objects.filter(room=asked.room, left_at__isnull=True)
    named = asked.call.options["agent"]
    chosen = here if named == ALL else here.filter(agent=int(named))
    return list(chosen.select_related("agent").order_by("agent_id"))


def _order(call: Call, agent_id: int) -> Order:
    hours, count = call.options.get("hours"), call.options.get("count")
    return Order(
        workspace_id=call.workspace_id,
        platform=call.platform,
        room_external_id=call.place.external_id,
        agent_id=agent_id,
        by=call.author,
        act=call.command,
        hours=float(hours) if hours is not None else None,
        external_id=call.external_id,
        at=call.at,
        is_for_all=call.options["agent"] == ALL,
        count=int(count) if count is not None else 1,
    )
