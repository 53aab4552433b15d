"""What Matrix homeservers want of an application service: its file, its users, its token."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from urllib.parse import quote

from agentapp.appservices.makers import Service
from agentapp.foundation.errors import AgentError, Unavailable
from agentapp.identity.platforms import WrongAnswer
from bots.matrix.credentials import Login
from bots.matrix.errors import Faltering, LoginLost, Rejected
from bots.matrix.transport import CLIENT, Homeserver
from bots.matrix.wire import Request, Wire

DEVICE = "GREENROOM"
NOT_KNOWN = (
    "The homeserver does not know this application service. Put its registration file into the "
    "homeserver's settings and restart the homeserver."
)


def registration(service: Service) -> str:
    """Return the file that the homeserver's admin installs. JSON's strings are YAML's too."""
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


async def enrolled(service: Service, localpart: str, name: str) -> Login:
    """Make a user of the namespace, or find it made.

    Raises:
        WrongAnswer: That name cannot be had. Unavailable: The service is not known there yet, or
            the homeserver does not answer.
    """
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
