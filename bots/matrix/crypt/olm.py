"""Messages between two devices: read, written, and the agreement between them kept.

Everything that comes in was written by somebody unknown; what is not whole is None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import vodozemac

from agentapp.foundation.errors import Invalid
from bots.matrix.crypt.device import OLM_ALGORITHM, PICKLE_KEY, Device
from bots.matrix.crypt.ring import OLM, Value
from bots.matrix.crypt.signing import is_key, to_bytes, to_text
from bots.matrix.parse import user_of

MOST_SESSIONS = 5  # with one other device; the last used come first
MOST_BODY = 200_000  # characters of one message
MOST_NAME = 255  # characters of a device's id


@dataclass(frozen=True, slots=True)
class Target:
    """Another device, as its user's list names it."""

    user_id: str
    device_id: str
    curve: str
    ed: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What a device wrote to this one, and whose device that says it is."""

    kind: str
    content: Mapping[str, Any] = field(repr=False)
    sender: str
    curve: str
    ed: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """Something for this device that is still encrypted."""

    sender: str
    curve: str
    kind: int
    body: bytes = field(repr=False)


def sealed_of(event: Mapping[str, Any], device: Device) -> Sealed | None:
    """Return what of a to-device event is meant for this device."""
    content, sender = event.get("content"), user_of(event.get("sender"))
    if not isinstance(content, Mapping) or content.get("algorithm") != OLM_ALGORITHM:
        return None
    curve, parts = content.get("sender_key"), content.get("ciphertext")
    part = parts.get(device.curve()) if isinstance(parts, Mapping) else None
    if not sender or not is_key(curve) or curve == device.curve() or not isinstance(part, Mapping):
        return None
    kind, body = part.get("type"), part.get("body")
    is_whole = type(kind) is int and kind in {0, 1} and isinstance(body, str)
    if not is_whole or len(str(body)) > MOST_BODY:
        return None
    try:
        return Sealed(sender, str(curve), int(str(kind)), to_bytes(body))
    except Invalid:
        return None


def open_letter(sealed: Sealed, device: Device) -> Letter | None:
    """Read what a device wrote; the agreement with it moves on. None when it cannot be read."""
    plain = _with_known(sealed, device) or _with_new(sealed, device)
    return _checked(plain, sealed, device) if plain is not None else None


def _with_known(sealed: Sealed, device: Device) -> bytes | None:
    sessions = sessions_of(device, sealed.curve)
    for n, stored in enumerate(sessions):
        try:
            session = vodozemac.Session.from_pickle(stored["pickle"], PICKLE_KEY)
            message = vodozemac.AnyOlmMessage.from_parts(sealed.kind, sealed.body)
            plain = session.decrypt(message)
        except ValueError:
            continue
        moved = {"pickle": session.pickle(PICKLE_KEY), "has_heard": True}
        _keep(device, sealed.curve, [moved, *sessions[:n], *sessions[n + 1 :]], sealed.sender)
        return bytes(plain)
    return None


def _with_new(sealed: Sealed, device: Device) -> bytes | None:
    """Read a first message, which spends one of this device's one-time keys."""
    if sealed.kind != 0:
        return None
    try:
        message = vodozemac.AnyOlmMessage.from_parts(sealed.kind, sealed.body).to_pre_key()
        if message is None or _is_known(message, sealed.curve, device):
            return None
        account = device.account()
        session, plain = account.create_inbound_session(
            vodozemac.Curve25519PublicKey.from_base64(sealed.curve), message
        )
    except ValueError:
        return None
    device.keep(account)
    new = {"pickle": session.pickle(PICKLE_KEY), "has_heard": True}
    _keep(device, sealed.curve, [new, *sessions_of(device, sealed.curve)], sealed.sender)
    return bytes(plain)


def _is_known(message: vodozemac.PreKeyMessage, curve: str, device: Device) -> bool:
    """Say whether a first message began an agreement that is here: then it is an old one."""
    return any(
        vodozemac.Session.from_pickle(one["pickle"], PICKLE_KEY).session_matches(message)
        for one in sessions_of(device, curve)
    )


def _checked(plain: bytes, sealed: Sealed, device: Device) -> Letter | None:
    """Return a letter that says itself who wrote it and that it is for this device."""
    try:
        found = json.loads(plain)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    kind, content = found.get("type"), found.get("content")
    ours, theirs = found.get("recipient_keys"), found.get("keys")
    is_for_us = (
        found.get("recipient") == device.user_id
        and isinstance(ours, dict)
        and ours.get("ed25519") == device.ed()
    )
    is_theirs = found.get("sender") == sealed.sender
    ed = theirs.get("ed25519") if isinstance(theirs, dict) else None
    if not is_for_us or not is_theirs or not is_key(ed):
        return None
    if not isinstance(kind, str) or not isinstance(content, dict):
        return None
    return Letter(kind, content, sealed.sender, sealed.curve, str(ed))


def sessions_of(device: Device, curve: str) -> list[Value]:
    """Return what was agreed on with another device, the last used first."""
    stored = device.ring.get(OLM, curve)
    return list(stored["sessions"]) if stored else []


def _keep(device: Device, curve: str, sessions: list[Value], owner: str) -> None:
    before = device.ring.get(OLM, curve) or {}
    device.ring.put(OLM, curve, {**before, "sessions": sessions[:MOST_SESSIONS]}, owner=owner)


def begin(device: Device, target: Target, one_time_key: str) -> bool:
    """Agree with another device by one of its one-time keys; say whether that worked."""
    try:
        session = device.account().create_outbound_session(
            vodozemac.Curve25519PublicKey.from_base64(target.curve),
            vodozemac.Curve25519PublicKey.from_base64(one_time_key),
        )
    except ValueError:
        return False
    new = {"pickle": session.pickle(PICKLE_KEY), "has_heard": False}
    _keep(device, target.curve, [new, *sessions_of(device, target.curve)], target.user_id)
    return True


def write_letter(
    device: Device, target: Target, kind: str, content: Mapping[str, object]
) -> dict[str, object] | None:
    """Return a to-device content that only another device can read; None without an agreement."""
    sessions = sessions_of(device, target.curve)
    if not sessions:
        return None
    plain = {
        "type": kind,
        "content": content,
        "sender": device.user_id,
        "sender_device": device.device_id,
        "recipient": target.user_id,
        "recipient_keys": {"ed25519": target.ed},
        "keys": {"ed25519": device.ed()},
    }
    session = vodozemac.Session.from_pickle(sessions[0]["pickle"], PICKLE_KEY)
    number, body = session.encrypt(json.dumps(plain).encode()).to_parts()
    moved = {**sessions[0], "pickle": session.pickle(PICKLE_KEY)}
    _keep(device, target.curve, [moved, *sessions[1:]], target.user_id)
    return {
        "algorithm": OLM_ALGORITHM,
        "sender_key": device.curve(),
        "ciphertext": {target.curve: {"type": number, "body": to_text(bytes(body))}},
    }
