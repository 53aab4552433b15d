"""Makes a device's keys and its user's identity, and shows both to the homeserver.

A user's identity is three keys: the first signs the two others, the second signs the user's own
devices, the third would sign other people. Apps that leave out devices which nobody signed take
this one by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import vodozemac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentapp.foundation.errors import Conflict, Invalid, Refused
from agentapp.keyring.changes import KeyName, KeyText, MadeKeys
from bots.matrix.credentials import Login
from bots.matrix.crypt.device import MOST_KEYS, PICKLE_KEY, device_keys, packed, upload_of
from bots.matrix.crypt.ring import ACCOUNT, IDENTITY
from bots.matrix.crypt.signing import (
    NotSigned,
    key_of,
    public_of,
    require_signature,
    seed_of,
    signed,
    signer,
)
from bots.matrix.errors import LoginLost, Rejected
from bots.matrix.transport import CLIENT, Homeserver
from bots.matrix.wire import Request

SECONDS = 15.0
_USES = ("master", "self_signing", "user_signing")


class DeviceTaken(Conflict):
    """This device has other keys already, which are not here.

    Log the agent in again with its password: remove the login first, then add it. It becomes a
    new device, and encryption can be turned on for that.
    """


class IdentityTaken(Conflict):
    """Another app has made an identity for this user already.

    To replace it, enter the user's password. Whoever verified the old one is then warned.
    """


class PasswordWrong(Refused):
    """The homeserver does not accept this password."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The three keys of a user; the private halves never leave this host."""

    master: Ed25519PrivateKey
    self_signing: Ed25519PrivateKey
    user_signing: Ed25519PrivateKey

    def packed(self) -> dict[str, str]:
        """Return them as text, to be sealed."""
        return {use: seed_of(getattr(self, use)) for use in _USES}


def fresh_identity() -> Identity:
    """Make a new identity."""
    return Identity(*(Ed25519PrivateKey.generate() for _ in _USES))


def identity_of(value: Mapping[str, Any]) -> Identity:
    """Return the identity of such a text."""
    return Identity(*(key_of(value[use]) for use in _USES))


def drawn_keys(login: Login, earlier: Mapping[KeyName, KeyText]) -> MadeKeys:
    """Return keys for a login's device: those that were drawn for it before, or new ones.

    The user's identity stays what it was also when the device is a new one.

    Raises:
        Invalid: The login has no device.
    """
    if not login.device_id:
        raise Invalid("This login has no device. Log the agent in with a password instead.")
    own = json.loads(earlier[ACCOUNT, ""].text) if (ACCOUNT, "") in earlier else {}
    if own.get("device") != login.device_id:
        own = _new_device(login.device_id)
    kept = earlier.get((IDENTITY, "")) or KeyText(json.dumps(fresh_identity().packed()))
    keys = {(ACCOUNT, ""): KeyText(json.dumps(own)), (IDENTITY, ""): kept}
    return MadeKeys(login.device_id, str(own["ed25519"]), keys)


def _new_device(device_id: str) -> dict[str, str]:
    account = vodozemac.Account()
    account.generate_one_time_keys(MOST_KEYS)
    account.generate_fallback_key()  # type: ignore[attr-defined]
    return {
        "device": device_id,
        "pickle": packed(account),
        "curve25519": account.curve25519_key.to_base64(),
        "ed25519": account.ed25519_key.to_base64(),
    }


async def show_keys(server: Homeserver, made: MadeKeys, *, password: str) -> MadeKeys:
    """Have the homeserver show a device's keys and its user's identity; return them as shown.

    Keys are in the record before they are shown, so this can be done again after any end.

    Args:
        password: The user's; needed only to replace an identity that another app made.

    Raises:
        DeviceTaken, IdentityTaken, PasswordWrong: See there.
        Invalid: The homeserver does not show what it was given.
        AgentError: The homeserver does not answer.
    """
    user_id, device_id = server.login.user_id, server.login.device_id
    own = json.loads(made.keys[ACCOUNT, ""].text)
    identity = identity_of(json.loads(made.keys[IDENTITY, ""].text))
    account = vodozemac.Account.from_pickle(own["pickle"], PICKLE_KEY)
    found = await _shown(server, user_id)
    shown = _device_in(found, user_id, device_id)
    if shown and _at(shown, "keys").get(f"ed25519:{device_id}") != own["ed25519"]:
        raise DeviceTaken
    if _master_in(found, user_id) != public_of(identity.master):
        await _show_identity(server, identity, account, password)
    body = upload_of(account, user_id=user_id, device_id=device_id, is_new=True)
    await server.call(Request("POST", f"{CLIENT}/keys/upload", body=body, seconds=SECONDS))
    account.mark_keys_as_published()
    await _sign_each_other(server, identity, account)
    await check_identity(server)
    value = KeyText(json.dumps({**own, "pickle": packed(account)}))
    return replace(made, keys={**made.keys, (ACCOUNT, ""): value})


async def _show_identity(
    server: Homeserver, identity: Identity, account: vodozemac.Account, password: str
) -> None:
    """Upload the public halves: the first signed by the device, the two others by the first."""
    user_id = server.login.user_id
    objects = {use: _object(user_id, use, getattr(identity, use)) for use in _USES}
    key, sign = public_of(identity.master), signer(identity.master)
    for use in ("self_signing", "user_signing"):
        objects[use] = signed(objects[use], user_id=user_id, key_id=key, sign=sign)
    objects["master"] = _signed_by_device(objects["master"], server.login, account)
    body: dict[str, object] = {f"{use}_key": objects[use] for use in _USES}
    path = f"{CLIENT}/keys/device_signing/upload"
    try:
        await server.call(Request("POST", path, body=body, seconds=SECONDS))
    except (Rejected, LoginLost) as error:
        if not password:
            raise IdentityTaken from error
        who = {"type": "m.id.user", "user": user_id}
        auth = {"type": "m.login.password", "identifier": who, "password": password}
        try:
            await server.call(Request("POST", path, body={**body, "auth": auth}, seconds=SECONDS))
        except (Rejected, LoginLost) as refused:
            raise PasswordWrong from refused


def _object(user_id: str, use: str, key: Ed25519PrivateKey) -> dict[str, object]:
    public = public_of(key)
    return {"user_id": user_id, "usage": [use], "keys": {f"ed25519:{public}": public}}


async def _sign_each_other(
    server: Homeserver, identity: Identity, account: vodozemac.Account
) -> None:
    """Have the identity sign the device, and the device the identity."""
    user_id, device_id = server.login.user_id, server.login.device_id
    device = signed(
        device_keys(account, user_id=user_id, device_id=device_id),
        user_id=user_id,
        key_id=public_of(identity.self_signing),
        sign=signer(identity.self_signing),
    )
    master = _signed_by_device(_object(user_id, "master", identity.master), server.login, account)
    path = f"{CLIENT}/keys/signatures/upload"
    body = {user_id: {device_id: device, public_of(identity.master): master}}
    answer = await server.call(Request("POST", path, body=dict(body), seconds=SECONDS))
    if answer.get("failures"):
        raise Invalid("The homeserver did not take the signatures of the device.")


def _signed_by_device(
    value: Mapping[str, object], login: Login, account: vodozemac.Account
) -> dict[str, object]:
    return signed(
        value,
        user_id=login.user_id,
        key_id=login.device_id,
        sign=lambda raw: account.sign(raw).to_base64(),
    )


async def check_identity(server: Homeserver) -> None:
    """Look at one's own device as others do: the first key signs the second, that the device.

    Raises:
        NotSigned: They do not.
    """
    user_id, device_id = server.login.user_id, server.login.device_id
    found = await _shown(server, user_id)
    device = _device_in(found, user_id, device_id)
    master = _master_in(found, user_id)
    second = _at(found, "self_signing_keys", user_id)
    key = next(iter(_at(second, "keys").values()), "")
    if not device or not master or not isinstance(key, str):
        raise NotSigned
    require_signature(second, user_id=user_id, key_id=master, key=master)
    require_signature(device, user_id=user_id, key_id=key, key=key)


async def _shown(server: Homeserver, user_id: str) -> dict[str, Any]:
    body: dict[str, object] = {"device_keys": {user_id: []}}
    return await server.call(Request("POST", f"{CLIENT}/keys/query", body=body, seconds=SECONDS))


def _device_in(found: Mapping[str, Any], user_id: str, device_id: str) -> dict[str, Any]:
    return _at(found, "device_keys", user_id, device_id)


def _master_in(found: Mapping[str, Any], user_id: str) -> str:
    key = next(iter(_at(found, "master_keys", user_id, "keys").values()), "")
    return key if isinstance(key, str) else ""


def _at(found: object, *names: str) -> dict[str, Any]:
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}
