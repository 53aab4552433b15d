"""What goes wrong with Discord, in words that say what to mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import discord

from agentapp.foundation.errors import Refused, Unavailable
from bots.connector import NotSent, SendRefused

UNAUTHORIZED, TOO_MANY = 401, 429
_BY_CODE = {
    10003: "The channel is gone.",
    10008: "The message is gone.",
    30046: "This message is too old to be changed again so soon.",
    40005: "The file is too large for this server.",
    40060: "This was answered already.",
    50001: "It cannot see that channel. Give its role View Channel there.",
    50006: "There was nothing to say.",
    50007: "This person takes no direct messages from it.",
    50013: "It may not write there. Give its role Send Messages and Read Message History in that "
    "channel.",
    50035: "Discord refuses what it wanted to say.",
    50083: "The thread is archived.",
    50278: "It shares no server with this person, so it cannot write to them.",
    160002: "To answer somebody there it needs Read Message History.",
}


class LoginLost(Refused):
    """Discord no longer accepts this token. Copy a new one from the developer portal."""


class IntentsMissing(Refused):
    """Discord refuses what this bot wants to read: switch its intents on in the portal."""


class OverBudget(Refused):
    """It had to begin anew too often today.

    Discord takes a token away that does so a thousand times a day. It goes on tomorrow.
    """


class HostPaused(NotSent):
    """Discord refused too much of what this host asked, so it rests for some minutes."""


class NotReached(Unavailable):
    """Discord does not answer at the moment."""


class Silent(Unavailable):
    """The connection to Discord was open and said nothing any more. It is made anew."""


def words_of(error: discord.HTTPException) -> str:
    """Return what a refusal means for whoever can change it."""
    return _BY_CODE.get(error.code, f"Discord refused it ({error.status}, code {error.code}).")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the library raises for a request into ours.

    Raises:
        LoginLost: The token does not count any more.
        SendRefused: It will never be taken.
        NotSent: Nothing was done, and it may be tried again.
        Exception: Anything else leaves open what happened.
    """
    try:
        yield
    except (discord.LoginFailure, discord.RateLimited, discord.HTTPException) as error:
        ours = _ours(error)
        if ours is None:
            raise
        raise ours from error
    except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError) as error:
        raise NotSent("Discord is not reached at the moment.") from error


def _ours(error: discord.DiscordException) -> Exception | None:
    """Return what an error of the library means; None where it leaves open what happened."""
    if isinstance(error, discord.LoginFailure):
        return LoginLost()
    if isinstance(error, discord.RateLimited):
        return NotSent(f"Discord asks for a pause of {error.retry_after:.0f} s.")
    if not isinstance(error, discord.HTTPException):
        return None
    if error.status == UNAUTHORIZED:
        return LoginLost()
    if error.status == TOO_MANY:
        return NotSent("Discord asks for a pause.")
    return SendRefused(words_of(error)) if 400 <= error.status < 500 else None
