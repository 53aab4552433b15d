"""Proves a bot's token, and says what its owner has to know of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import aiohttp
import discord

from agentapp.foundation.errors import AgentError, Unavailable
from agentapp.identity.platforms import VERIFY_SECONDS, Details, Proven, WrongAnswer
from bots.discord.address import point
from bots.discord.errors import LoginLost, translated
from bots.discord.gateway import Gateway, Reads, own_id
from bots.discord.watching import closed

logger = logging.getLogger(__name__)

CONTENT_LIMITED = 1 << 19  # the flag that may be set from here
PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    read_message_history=True,
    add_reactions=True,
    attach_files=True,
)
REFUSED = (
    "Discord does not know this token. Copy it again, whole, from the Bot page of the developer "
    "portal."
)
READS_ALONG = "It reads everything that is said in its channels."
READS_WHAT_IT_IS_TOLD = (
    "It sees only what mentions it, answers it or is said in direct messages. To have it read "
    "along, tick that when you paste its token again, or switch on Message Content Intent in "
    "Discord's developer portal."
)
NOT_SWITCHED_ON = (
    "Discord did not let Message Content Intent be switched on from here. Switch it on in the "
    "developer portal, under Bot."
)
ELSEWHERE = (
    "Commands do not reach it: Discord sends them to another address. Empty Interactions Endpoint "
    "URL in the developer portal."
)
PRIVATE_BOT = "Only you can invite it, because it is not a public bot."


async def proven(answers: Mapping[str, str]) -> Proven:
    """Ask Discord whose token this is, and set what was wished; see `Platform.prove`."""
    token = answers.get("token", "").strip().removeprefix("Bot ").strip()
    if not token:
        raise WrongAnswer("Paste the bot's token.", question="token")
    point()
    client = Gateway(reads=Reads(), begin=_never, refused=_ignore)
    try:
        async with asyncio.timeout(VERIFY_SECONDS):
            details = await _asked(client, token, wants_all=answers.get("content") == "yes")
    finally:
        await closed(client)
    return Proven(str(own_id(client)), token, details=details.packed())


async def _asked(client: Gateway, token: str, *, wants_all: bool) -> Details:
    try:
        with translated():
            await client.login(token)
            if not wants_all:
                return details_of(client)
            is_on = await _switched_on(client)
            return details_of(client, not_switched_on=not is_on, is_on=is_on)
    except (LoginLost, ValueError) as error:
        raise WrongAnswer(REFUSED, question="token") from error
    except (AgentError, discord.DiscordException, OSError, aiohttp.ClientError) as error:
        raise Unavailable("Discord does not answer at the moment. Try again later.") from error


async def _switched_on(client: Gateway) -> bool:
    """Switch on that a bot reads everything, which its owner asked for; say whether it is on."""
    flags = client.application_flags
    if Reads.of(flags).content:
        return True
    try:
        await client.http.edit_application_info(
            reason=None, payload={"flags": flags.value | CONTENT_LIMITED}
        )
    except discord.HTTPException as error:
        logger.info("an intent cannot be switched on from here: %s", error.code)
        return False
    return Reads.of((await client.application_info()).flags).content


def details_of(client: Gateway, *, not_switched_on: bool = False, is_on: bool = False) -> Details:
    """Return what a page says of a bot that is logged in.

    Args:
        not_switched_on: Its owner asked that it read everything, and Discord did not allow it.
        is_on: That was switched on after it logged in.
    """
    application = client.application
    if application is None:
        return Details()
    reads_all = is_on or Reads.of(application.flags).content
    notes = [READS_ALONG if reads_all else READS_WHAT_IT_IS_TOLD]
    if not_switched_on:
        notes.append(NOT_SWITCHED_ON)
    if application.interactions_endpoint_url:
        notes.append(ELSEWHERE)
    if not application.bot_public:
        notes.append(PRIVATE_BOT)
    return Details(
        name=f"@{client.user.name}" if client.user else "",
        invite_url=discord.utils.oauth_url(
            application.id, permissions=PERMISSIONS, scopes=("bot", "applications.commands")
        ),
        notes=tuple(notes),
    )


async def _never() -> None:
    raise AssertionError("a proof begins no session")


def _ignore() -> None:
    pass
