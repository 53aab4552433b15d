"""What Matrix homeservers want of an application service: its file, its users, its token."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import quote

from agentapp.appservices.makers import Service
from agentapp.foundation.errors import AgentError, Unavailable
from agentapp.identity.platforms import VERIFY_SECONDS, Proven, WrongAnswer
from bots.matrix.credentials import Login
from bots.matrix.errors import Faltering, LoginLost, Rejected
from bots.matrix.login import packed
from bots.matrix.parse import PLATFORM
from bots.matrix.proving import found_homeserver
from bots.matrix.transport import CLIENT, Homeserver
from bots.matrix.wire import Request, Wire

T = TypeVar("T")
DEVICE = "GREENROOM"
NOT_KNOWN = (
    "The homeserver does not know this application service. Put its registration file into the "
    "homeserver's settings and restart the homeserver."
)


class MatrixServices:
    """Application services on Matrix homeservers."""

    code = PLATFORM

    def find(self, domain: str, address: str) -> str:
        """Return the homeserver's address."""
        question = "address" if address else "domain"
        return _run(found_homeserver(address or domain, question=question))

    def registration(self, service: Service) -> str:
        """Return the registration file. JSON's strings are YAML's too."""
        users = f"@{re.escape(service.prefix)}.*:{re.escape(service.domain)}"
        lines = (
            f"id: {json.dumps(registration_id(service))}",
            f"url: {json.dumps(service.url)}",
            f"as_token: {json.dumps(service.own_token)}",
            f"hs_token: {json.dumps(service.their_token)}",
            f"sender_localpart: {json.dumps(service.prefix + 'greenroom')}",
            "rate_limited: false",
            "receive_ephemeral: false",
            "namespaces:",
            f"  users: [{{exclusive: true, regex: {json.dumps(users)}}}]",
            "  rooms: []",
            "  aliases: []",
        )
        return "\n".join(lines) + "\n"

    def enroll(self, service: Service, *, localpart: str, name: str) -> Proven:
        """Make a user of the namespace."""
        login = _run(_enrolled(service, localpart, name))
        # One token speaks for all of them; what is here once is the token together with the user.
        token = f"{service.own_token}:{login.user_id}"
        return Proven(login.user_id, packed(login), token=token)


def registration_id(service: Service) -> str:
    """Return the name under which the homeserver knows a service."""
    return f"greenroom-{service.id.hex[:12]}"


def ghost_login(service: Service, user_id: str, *, device_id: str = DEVICE) -> Login:
    """Return the login of a user of the namespace."""
    return Login(service.address, user_id, device_id, service.own_token, is_ghost=True)


async def enter_namespace(server: Homeserver) -> None:
    """Have the homeserver know a ghost and its device; doing it again changes nothing.

    Raises:
        Rejected: This name cannot be had. LoginLost: The service is not known there.
    """
    login = server.login
    body: dict[str, object] = {
        "type": "m.login.application_service",
        "username": login.user_id[1:].partition(":")[0],
        "inhibit_login": True,
    }
    service = Homeserver(Login(login.homeserver, "", "", login.token))
    try:
        await service.call(Request("POST", f"{CLIENT}/register", query={"kind": "user"}, body=body))
    except Rejected as error:
        if error.code != "M_USER_IN_USE":
            raise
    finally:
        await service.close()
    await server.call(Request("PUT", f"{CLIENT}/devices/{DEVICE}", body={}))


async def _enrolled(service: Service, localpart: str, name: str) -> Login:
    login = ghost_login(service, f"@{localpart}:{service.domain}", device_id="")
    wire = Wire(service.address)
    server = Homeserver(login, wire=wire)
    try:
        with_device = await _with_device(server)
        with suppress(AgentError):  # it can be called by its id until somebody renames it
            await server.call(_naming(login.user_id, name))
    except LoginLost as error:
        raise Unavailable(NOT_KNOWN) from error
    except Rejected as error:
        raise WrongAnswer(
            f"The homeserver does not give this name ({error.code}). Choose another one.",
            question="localpart",
        ) from error
    except Faltering as error:
        raise Unavailable("The homeserver broke off. Try again in a moment.") from error
    finally:
        await wire.close()
    return with_device


def _naming(user_id: str, name: str) -> Request:
    path = f"{CLIENT}/profile/{quote(user_id, safe='')}/displayname"
    return Request("PUT", path, body={"displayname": name})


async def _with_device(server: Homeserver) -> Login:
    """Return the login with its device; an older homeserver makes none without a password."""
    login = server.login
    try:
        await enter_namespace(server)
    except Rejected as error:
        if error.status not in {404, 405}:
            raise
        return login
    return Login(login.homeserver, login.user_id, DEVICE, login.token, is_ghost=True)


def _run(work: Coroutine[Any, Any, T]) -> T:
    async def in_time() -> T:
        async with asyncio.timeout(VERIFY_SECONDS):
            return await work

    try:
        return asyncio.run(in_time())
    except TimeoutError as error:
        raise Unavailable(
            "The homeserver is too slow to answer at the moment. Try again later."
        ) from error
