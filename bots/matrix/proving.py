"""Proves a login on a homeserver, in words that say what to mend."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agentapp.foundation.errors import AgentError, Unavailable
from agentapp.identity.platforms import VERIFY_SECONDS, Proven, WrongAnswer
from bots.matrix.address import BadHomeserver
from bots.matrix.credentials import Login
from bots.matrix.errors import AddressRefused, Faltering, LoginLost, NotReached
from bots.matrix.login import (
    LoginRefused,
    NoPasswords,
    adopt_token,
    find_homeserver,
    is_homeserver,
    log_in,
    packed,
    unpacked,
)
from bots.matrix.parse import user_of
from bots.matrix.transport import Homeserver

END_SECONDS = 5.0
NO_USER = "Write who it is there, such as @mira:example.org."
NOTHING_TO_PROVE = "Enter the password, or an access token instead."


async def proven(answers: Mapping[str, str], earlier: str) -> Proven:
    """Log in once, or ask whose token it is; see `Platform.prove`."""
    user, token = answers.get("user", ""), answers.get("token", "")
    password, typed = answers.get("password", ""), answers.get("homeserver", "")
    where = typed or user.partition(":")[2]
    if not where:
        raise WrongAnswer(NO_USER, question="user")
    if not password and not token:
        raise WrongAnswer(NOTHING_TO_PROVE, question="password")
    async with asyncio.timeout(VERIFY_SECONDS):
        homeserver = await found_homeserver(where, question="homeserver" if typed else "user")
        before = _before(earlier)
        if token:
            login = await _of_token(homeserver, token, user)
        else:
            device = before.device_id if before else ""
            login = await _of_password(homeserver, user, password, device)
    is_new = not token and (before is None or before.device_id != login.device_id)
    return Proven(login.user_id, packed(login), is_new, token=login.token)


async def found_homeserver(where: str, *, question: str) -> str:
    """Return the homeserver's address, once something there says that it is one."""
    try:
        homeserver = await find_homeserver(where)
        is_one = await is_homeserver(homeserver)
    except (BadHomeserver, AddressRefused) as error:
        raise WrongAnswer(error.message, question=question) from error
    except NotReached as error:
        raise WrongAnswer(
            f"Nothing answers at {where}. Look for typing errors, or enter the homeserver's own "
            "address.",
            question=question,
        ) from error
    except Faltering as error:
        raise Unavailable(
            f"The homeserver at {where} breaks off instead of answering. Try again later."
        ) from error
    if not is_one:
        raise WrongAnswer(
            f"Something answers at {homeserver}, but it is no Matrix homeserver. Enter the "
            "homeserver's own address.",
            question="homeserver",
        )
    return homeserver


async def _of_password(homeserver: str, user: str, password: str, device_id: str) -> Login:
    try:
        return await log_in(
            homeserver=homeserver, user=user, password=password, device_id=device_id
        )
    except NoPasswords as error:
        raise WrongAnswer(error.message, question="token") from error
    except LoginRefused as error:
        raise WrongAnswer(error.message, question="password") from error
    except Faltering as error:
        raise Unavailable("The homeserver broke off. Try again in a moment.") from error


async def _of_token(homeserver: str, token: str, user: str) -> Login:
    try:
        login = await adopt_token(homeserver=homeserver, token=token)
    except (LoginLost, LoginRefused) as error:
        raise WrongAnswer(
            "The homeserver does not know this token. Copy it again, whole.", question="token"
        ) from error
    except Faltering as error:
        raise Unavailable("The homeserver broke off. Try again in a moment.") from error
    if user_of(user) and login.user_id != user:
        raise WrongAnswer(f"This token belongs to {login.user_id}.", question="token")
    return login


def _before(earlier: str) -> Login | None:
    if not earlier:
        return None
    try:
        return unpacked(earlier)
    except AgentError:
        return None


async def log_out(secret: str) -> None:
    """End a login that is not used, on the homeserver as well."""
    server = Homeserver(unpacked(secret))
    try:
        async with asyncio.timeout(END_SECONDS):
            await server.log_out()
    finally:
        await server.close()
