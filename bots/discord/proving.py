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
from bots.discord.gateway import Gateway, own_id
from bots.discord.intents import CONTENT_LIMITED, MEMBERS_LIMITED, Reads
from bots.discord.watching import closed

logger = logging.getLogger(__name__)

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
SEES_WHO_COMES = "It notices who comes into its servers and who leaves."
SEES_NOBODY_COME = (
    "It does not notice who comes into its servers or leaves, so it goes on answering people who "
    "have left. To have it notice, tick that when you paste its token again, or switch on Server "
    "Members Intent in Discord's developer portal."
)
NOT_SWITCHED_ON = (
    "Discord did not let {name} be switched on from here. Switch it on in the developer portal, "
    "under Bot."
)
ELSEWHERE = (
    "Commands do not reach it: Discord sends them to another address. Empty Interactions Endpoint "
    "URL in the developer portal."
)
PRIVATE_BOT = "Only you can invite it, because it is not a public bot."
_NOTHING = Reads()


async def proven(answers: Mapping[str, str]) -> Proven:
    """Ask Discord whose token this is, and set what was wished; see `Platform.prove`."""
    token = answers.get("token", "").strip().removeprefix("Bot ").strip()
    if not token:
        raise WrongAnswer("Paste the bot's token.", question="token")
    point()
    wished = Reads(content=answers.get("content") == "yes", members=answers.get("members") == "yes")
    client = Gateway(reads=Reads(), begin=_never, refused=_ignore)
    try:
        async with asyncio.timeout(VERIFY_SECONDS):
            details = await _asked(client, token, wished)
    finally:
        await closed(client)
    return Proven(str(own_id(client)), token, details=details.packed())


async def _asked(client: Gateway, token: str, wished: Reads) -> Details:
    try:
        with translated():
            await client.login(token)
            return details_of(client, reads=await _switched_on(client, wished), wished=wished)
    except (LoginLost, ValueError) as error:
        raise WrongAnswer(REFUSED, question="token") from error
    except (AgentError, discord.DiscordException, OSError, aiohttp.ClientError) as error:
        raise Unavailable("Discord does not answer at the moment. Try again later.") from error


async def _switched_on(client: Gateway, wished: Reads) -> Reads:
    """Switch on what its owner wished, each by itself; return what is on then."""
    flags, reads = client.application_flags, Reads.of(client.application_flags)
    for is_wished, is_on, bit in (
        (wished.content, reads.content, CONTENT_LIMITED),
        (wished.members, reads.members, MEMBERS_LIMITED),
    ):
        if is_wished and not is_on:
            flags = await _with(client, flags, bit)
    return Reads.of(flags)


async def _with(
    client: Gateway, flags: discord.ApplicationFlags, bit: int
) -> discord.ApplicationFlags:
    """Ask for one more flag of an application; return those that it has then."""
    try:
        await client.http.edit_application_info(reason=None, payload={"flags": flags.value | bit})
    except discord.HTTPException as error:
        logger.info("an intent cannot be switched on from here: %s", error.code)
        return flags
    return (await client.application_info()).flags


def details_of(client: Gateway, *, reads: Reads | None = None, wished: Reads = _NOTHING) -> Details:
    """Return what a page says of a bot that is logged in.

    Args:
        reads: What is switched on by now; None is what was when it logged in.
        wished: What its owner asked for, which Discord may not have allowed.
    """
    application = client.application
    if application is None:
        return Details()
    reads = reads or Reads.of(application.flags)
    notes = [
        READS_ALONG if reads.content else READS_WHAT_IT_IS_TOLD,
        SEES_WHO_COMES if reads.members else SEES_NOBODY_COME,
    ]
    notes += _refused(wished, reads)
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


def _refused(wished: Reads, reads: Reads) -> list[str]:
    """Say what Discord did not let be switched on."""
    names = []
    if wished.content and not reads.content:
        names.append("Message Content Intent")
    if wished.members and not reads.members:
        names.append("Server Members Intent")
    return [NOT_SWITCHED_ON.format(name=name) for name in names]


async def _never() -> None:
    raise AssertionError("a proof begins no session")


def _ignore() -> None:
    pass
