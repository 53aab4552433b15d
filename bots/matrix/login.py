"""Logs in, once: afterwards device and token are kept and no password is needed again."""

from __future__ import annotations

import json

from django.conf import settings

from agentapp.foundation.errors import Invalid, Refused
from bots.matrix.address import BadHomeserver, checked_homeserver
from bots.matrix.answers import raise_for
from bots.matrix.credentials import Login
from bots.matrix.errors import Rejected
from bots.matrix.transport import CLIENT
from bots.matrix.wire import Request, Wire

DEVICE_NAME = "Greenroom"
MAX_PART = 4096  # characters of one part of a login


class LoginRefused(Refused):
    """The homeserver does not accept this user and password."""


class NoPasswords(LoginRefused):
    """This homeserver lets nobody in by a password. Paste an access token instead."""


def homeserver_address(text: str) -> str:
    """Return a homeserver's checked base address, as this host's settings allow it."""
    return checked_homeserver(text, allow_private=bool(settings.MATRIX_ALLOW_PRIVATE))


async def find_homeserver(text: str) -> str:
    """Return the base address that a server name or an address stands for.

    A name such as `example.org` may point elsewhere through its well-known file; the address
    found there has to pass the same rules.
    """
    address = homeserver_address(text)
    if "://" in text:
        return address
    wire = Wire(address)
    try:
        answer = await wire.ask(Request("GET", "/.well-known/matrix/client", most=64 * 1024))
    except Exception:  # noqa: BLE001  (whatever is wrong there, the name itself may still do)
        return address
    finally:
        await wire.close()
    pointed = answer.json().get("m.homeserver") if answer.status == 200 else None
    base = pointed.get("base_url") if isinstance(pointed, dict) else None
    return homeserver_address(base) if isinstance(base, str) else address


async def log_in(*, homeserver: str, user: str, password: str, device_id: str = "") -> Login:
    """Log in with a password and return what is kept.

    Args:
        device_id: Of an earlier login that was lost, so that no new device is made.

    Raises:
        LoginRefused: Wrong name or password. Limited: Too many logins; wait.
    """
    wire = Wire(homeserver)
    body: dict[str, object] = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": user},
        "password": password,
        "initial_device_display_name": DEVICE_NAME,
        "refresh_token": True,
    }
    if device_id:
        body["device_id"] = device_id
    try:
        answer = await wire.ask(Request("POST", f"{CLIENT}/login", body=body))
        raise_for(answer)
    except Rejected as error:
        raise (LoginRefused if await _takes_passwords(wire) else NoPasswords) from error
    finally:
        await wire.close()
    return checked_login({**answer.json(), "homeserver": homeserver})


async def _takes_passwords(wire: Wire) -> bool:
    answer = await wire.ask(Request("GET", f"{CLIENT}/login"))
    flows = answer.json().get("flows")
    kinds = (
        [one.get("type") for one in flows if isinstance(one, dict)]
        if isinstance(flows, list)
        else []
    )
    return not kinds or "m.login.password" in kinds


async def is_homeserver(address: str) -> bool:
    """Say whether what answers at an address speaks Matrix.

    Raises:
        NotReached: Nothing answers. Faltering: It breaks off.
    """
    wire = Wire(address)
    try:
        answer = await wire.ask(Request("GET", "/_matrix/client/versions", most=256 * 1024))
    finally:
        await wire.close()
    return isinstance(answer.json().get("versions"), list)


async def adopt_token(*, homeserver: str, token: str) -> Login:
    """Return the login that an access token stands for.

    Raises:
        LoginLost: The homeserver does not know the token.
    """
    wire = Wire(homeserver)
    try:
        answer = await wire.ask(Request("GET", f"{CLIENT}/account/whoami"), token=token)
        raise_for(answer)
    finally:
        await wire.close()
    return checked_login({**answer.json(), "homeserver": homeserver, "access_token": token})


def packed(login: Login) -> str:
    """Return a login as the text that is sealed."""
    return json.dumps(
        {
            "homeserver": login.homeserver,
            "user_id": login.user_id,
            "device_id": login.device_id,
            "access_token": login.token,
            "refresh_token": login.refresh_token,
            "is_ghost": login.is_ghost,
        }
    )


def unpacked(text: str) -> Login:
    """Return the login of a stored text.

    Raises:
        Invalid: It is not one.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Invalid("This login was never finished. Log it in again.") from error
    if not isinstance(found, dict):
        raise Invalid("This login was never finished. Log it in again.")
    return checked_login(found)


def checked_login(found: dict[str, object]) -> Login:
    """Return a login from a homeserver's or the record's words, each part of a sane form."""
    homeserver = _part(found, "homeserver")
    user_id, token = _part(found, "user_id"), _part(found, "access_token")
    if not token or not user_id.startswith("@") or ":" not in user_id or len(user_id) > 255:
        raise Invalid("This is not a whole login. Log it in again.")
    if not homeserver:
        raise BadHomeserver
    return Login(
        homeserver=homeserver_address(homeserver),
        user_id=user_id,
        device_id=_part(found, "device_id"),
        token=token,
        refresh_token=_part(found, "refresh_token"),
        is_ghost=found.get("is_ghost") is True,
    )


def _part(found: dict[str, object], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or len(value) > MAX_PART or not value.isprintable():
        return ""
    return value
