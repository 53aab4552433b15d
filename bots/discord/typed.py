"""Commands that people type as a message, and words such as "leave me alone"."""

from __future__ import annotations

import discord

from agentapp.commands.registry import parse
from agentapp.commands.shapes import Call
from agentapp.foundation.envelope import AuthorKind, Incoming
from agentapp.identity.services.leases import HeldAccount
from bots.discord.parse import PLATFORM


def typed_call(
    message: discord.Message, said: Incoming, *, account: HeldAccount, bot_name: str
) -> Call | None:
    """Return the command that a message is; every bot that reads it hands over the same."""
    own = account.external_id
    if said.author.kind is not AuthorKind.HUMAN or said.author.external_id == own:
        return None
    is_moderator = _moderates(message)
    names = (own, bot_name, account.name)
    parsed = parse(
        said.text,
        names=dict.fromkeys(filter(None, names), account.agent_id),
        mentioned=[account.agent_id] if own in said.mentions else [],
        is_addressed=said.place.kind == "direct" or _answers(message, int(own)),
        is_moderator=is_moderator,
    )
    if parsed is None:
        return None
    return Call(
        workspace_id=account.workspace_id,
        platform=PLATFORM,
        place=said.place,
        author=said.author,
        command=parsed.command.name,
        external_id=said.external_id,
        options=parsed.options,
        agent_id=account.agent_id if said.place.kind == "direct" else None,
        target=said.reply_to,
        called=parsed.called,
        mentions=said.mentions,
        is_moderator=is_moderator,
        at=said.sent_at,
    )


def _answers(message: discord.Message, own_id: int) -> bool:
    answered = message.reference.resolved if message.reference else None
    return isinstance(answered, discord.Message) and answered.author.id == own_id


def _moderates(message: discord.Message) -> bool:
    """Say whether somebody looks after a channel; of who wrote long ago Discord does not tell."""
    channel, author = message.channel, message.author
    is_here = isinstance(channel, discord.abc.GuildChannel | discord.Thread)
    if not is_here or not isinstance(author, discord.Member):
        return False
    rights = channel.permissions_for(author)
    return rights.manage_messages or rights.moderate_members
