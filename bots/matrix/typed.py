"""Commands that people type as messages."""

from __future__ import annotations

from agentapp.commands.registry import parse
from agentapp.commands.shapes import Call
from bots.matrix.parse import PLATFORM, Said, short_name
from bots.matrix.recent import Recent
from bots.matrix.rooms import RoomView
from bots.matrix.viewing import Viewer


def call_in(view: RoomView, said: Said, *, viewer: Viewer, recent: Recent) -> Call | None:
    """Return the command that a message is; every login that reads it hands over the same."""
    incoming, own = said.incoming, viewer.own()
    by = incoming.author.external_id
    if said.is_notice or by in own:
        return None
    answered = recent.known(incoming.reply_to)
    place = view.place()
    parsed = parse(
        incoming.text,
        names=_names(view, viewer),
        mentioned=[
            agent.agent_id
            for user_id, agent in viewer.agents.items()
            if user_id in incoming.mentions
        ],
        is_addressed=place.kind == "direct" or (answered and answered.sender) in own,
        is_moderator=view.is_moderator(by),
    )
    if parsed is None:
        return None
    return Call(
        workspace_id=viewer.workspace_id,
        platform=PLATFORM,
        place=place,
        author=incoming.author,
        command=parsed.command.name,
        external_id=incoming.external_id,
        options=parsed.options,
        target=incoming.reply_to,
        called=parsed.called,
        mentions=incoming.mentions,
        is_moderator=view.is_moderator(by),
        at=incoming.sent_at,
    )


def _names(view: RoomView, viewer: Viewer) -> dict[str, int]:
    """Return what the room calls its agents; one that is there twice is the first one's."""
    names: dict[str, int] = {}
    for user_id, agent in viewer.agents.items():
        for name in (user_id, short_name(user_id), view.names.get(user_id, ""), agent.name):
            names.setdefault(name, agent.agent_id)
    return names
