"""Members' commands as Discord knows them, and how one that was used is answered.

Discord wants a first answer within three seconds, so that comes before any work; the words follow.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import discord

from agentapp.commands import registry
from agentapp.commands.services import carry_out
from agentapp.commands.shapes import ALL, Answer, Call, Command, Option, OptionKind, Where, Who
from agentapp.foundation.envelope import Author, AuthorKind, Place
from agentapp.identity.services.leases import HeldAccount
from bots.bridge import Bridge
from bots.discord.parse import PLATFORM
from bots.discord.places import place_of

logger = logging.getLogger(__name__)

SLASH, MENU = 1, 3  # Discord's types of commands
MODERATORS = discord.Permissions(manage_messages=True).value
_KINDS = {
    OptionKind.TEXT: 3,
    OptionKind.COUNT: 4,
    OptionKind.FLAG: 5,
    OptionKind.AGENT: 5,
    OptionKind.HOURS: 10,
}
_CONTEXTS = {Where.ROOM: 0, Where.DIRECT: 1}
MOST = 2_000  # characters of an answer
DONE = "Done."
FAILED = "That did not work. Nothing was changed; try again in a moment."

Json = dict[str, object]


def registered() -> list[Json]:
    """Return all commands as Discord takes them."""
    slash = [
        _slash(one) for one in registry.definitions() if one.offered & {Where.ROOM, Where.DIRECT}
    ]
    return slash + [_menu(one) for one in registry.definitions(offered=Where.MENU)]


def fingerprint(commands: list[Json]) -> str:
    """Return what changes when the commands do."""
    return hashlib.sha256(json.dumps(commands, sort_keys=True).encode()).hexdigest()[:16]


def _slash(command: Command) -> Json:
    told: Json = {
        "type": SLASH,
        "name": command.name,
        "description": command.description[:100],
        "options": [_option(one) for one in _asked_here(command)],
        "contexts": [number for where, number in _CONTEXTS.items() if where in command.offered],
    }
    return told | _rights(command)


def _menu(command: Command) -> Json:
    return {"type": MENU, "name": command.label or command.name.capitalize()} | _rights(command)


def _rights(command: Command) -> Json:
    # Who may see it; whether somebody may use it is asked again here.
    return {"default_member_permissions": MODERATORS if command.who is Who.MODERATOR else None}


def _asked_here(command: Command) -> list[Option]:
    """Return what is left to say: which agent is meant is clear, unless it is all of them."""
    options = [one for one in command.options if one.kind is not OptionKind.AGENT or one.takes_all]
    return sorted(options, key=lambda one: not _is_required(one))


def _is_required(option: Option) -> bool:
    return option.is_required and option.kind is not OptionKind.AGENT


def _option(option: Option) -> Json:
    told: Json = {
        "type": _KINDS[option.kind],
        "name": ALL if option.kind is OptionKind.AGENT else option.name,
        "description": option.description[:100],
        "required": _is_required(option),
    }
    if option.kind is OptionKind.TEXT:
        told["max_length"] = int(option.most)
    if option.kind in {OptionKind.COUNT, OptionKind.HOURS}:
        told |= {"min_value": option.least, "max_value": option.most}
    return told


class Commands:
    """Answers the commands that are used on one bot."""

    def __init__(self, *, account: HeldAccount, bridge: Bridge) -> None:
        self._account = account
        self._bridge = bridge

    async def answer(self, interaction: discord.Interaction) -> None:
        """Do what a command asks and say so, to its author alone unless all may hear it."""
        data: Mapping[str, Any] = interaction.data or {}
        command = _named(str(data.get("name", "")), int(data.get("type", SLASH)))
        is_private = command is None or command.is_private
        await interaction.response.defer(ephemeral=is_private, thinking=True)
        words = FAILED
        try:
            if command is not None:
                shown = "" if is_private else str((await interaction.original_response()).id)
                call = self._call(command, interaction, data, shown)
                words = _words(await self._bridge.call(partial(carry_out, call)), call, shown)
        finally:
            # Whatever happened, nobody is left with "thinking" for a quarter of an hour.
            await interaction.edit_original_response(content=words[:MOST])

    def _call(
        self,
        command: Command,
        interaction: discord.Interaction,
        data: Mapping[str, Any],
        shown: str,
    ) -> Call:
        rights = interaction.permissions
        return Call(
            workspace_id=self._account.workspace_id,
            platform=PLATFORM,
            place=_place(interaction),
            author=Author(
                str(interaction.user.id), interaction.user.display_name, AuthorKind.HUMAN
            ),
            command=command.name,
            external_id=f"interaction:{interaction.id}",
            options=self._options(command, data),
            agent_id=self._account.agent_id,
            target=str(data.get("target_id", "")),
            is_moderator=rights.manage_messages or rights.moderate_members,
            at=interaction.created_at,
            shows_answer=True,
            message_external_id=shown,
        )

    def _options(self, command: Command, data: Mapping[str, Any]) -> dict[str, Any]:
        said = {str(one["name"]): one["value"] for one in data.get("options", ())}
        for option in command.options:
            if option.kind is OptionKind.AGENT:
                said[option.name] = ALL if said.pop(ALL, False) else self._account.agent_id
        return said


def _named(name: str, kind: int) -> Command | None:
    if kind == SLASH:
        return registry.known().get(name)
    labelled = registry.definitions(offered=Where.MENU)
    return next((one for one in labelled if _menu(one)["name"] == name), None)


def _place(interaction: discord.Interaction) -> Place:
    found = place_of(interaction.channel)
    return found or Place(
        str(interaction.channel_id), kind="room" if interaction.guild_id else "direct"
    )


def _words(answer: Answer, call: Call, shown: str) -> str:
    """Return what is shown; a question that all may hear stands above its answer."""
    if shown and answer.is_done and isinstance(asked := call.options.get("text"), str):
        quoted = asked.replace("\n", "\n> ")
        return f"> {quoted}"
    return answer.words or DONE
