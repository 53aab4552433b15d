"""Lists of users' devices, as far as they prove themselves. Pure.

A device signs its own keys. Under a name that is known here it stays who it was: a homeserver
that shows other keys under it shows an impostor, who gets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentapp.foundation.errors import Invalid
from bots.matrix.crypt.device import MEGOLM_ALGORITHM, OLM_ALGORITHM
from bots.matrix.crypt.olm import MOST_NAME, Target
from bots.matrix.crypt.ring import Value
from bots.matrix.crypt.signing import is_key, require_signature

MOST_DEVICES = 200  # of one user


def listed(user_id: str, found: object, before: Value | None) -> Value:
    """Return what is kept of a user's devices.

    Args:
        found: What the homeserver says of them, by device id.
        before: What was kept until now.
    """
    known = before["devices"] if before else {}
    devices: dict[str, Value] = {}
    for device_id, each in found.items() if isinstance(found, Mapping) else ():
        if len(devices) >= MOST_DEVICES:
            break
        target = target_of(user_id, device_id, each)
        if target is None:
            continue
        pinned = known.get(device_id)
        if pinned and pinned["ed"] != target.ed:
            devices[device_id] = {**pinned, "is_replaced": True}
        else:
            devices[device_id] = {"curve": target.curve, "ed": target.ed}
    return {"devices": devices, "is_stale": False}


def target_of(user_id: str, device_id: object, each: object) -> Target | None:
    """Return a device whose list entry is whole and signed by itself."""
    if not isinstance(device_id, str) or not isinstance(each, Mapping):
        return None
    keys, algorithms = each.get("keys"), each.get("algorithms")
    is_its_own = each.get("user_id") == user_id and each.get("device_id") == device_id
    if not is_its_own or not 0 < len(device_id) <= MOST_NAME or not isinstance(keys, Mapping):
        return None
    if not isinstance(algorithms, list) or {OLM_ALGORITHM, MEGOLM_ALGORITHM} - _texts(algorithms):
        return None
    curve, ed = keys.get(f"curve25519:{device_id}"), keys.get(f"ed25519:{device_id}")
    if not is_key(curve) or not is_key(ed):
        return None
    try:
        require_signature(each, user_id=user_id, key_id=device_id, key=str(ed))
    except Invalid:
        return None
    return Target(user_id, device_id, str(curve), str(ed))


def targets_in(user_id: str, kept: Value | None) -> list[Target]:
    """Return the devices of a user that may get keys."""
    devices = kept["devices"] if kept else {}
    return [
        Target(user_id, device_id, one["curve"], one["ed"])
        for device_id, one in devices.items()
        if not one.get("is_replaced")
    ]


def claimed_key(target: Target, found: Mapping[str, Any]) -> str:
    """Return the one-time key in an answer that a device signed, or ""."""
    user = found.get(target.user_id)
    keys = user.get(target.device_id) if isinstance(user, Mapping) else None
    for each in keys.values() if isinstance(keys, Mapping) else ():
        if not isinstance(each, Mapping) or not is_key(each.get("key")):
            continue
        try:
            require_signature(each, user_id=target.user_id, key_id=target.device_id, key=target.ed)
        except Invalid:
            continue
        return str(each["key"])
    return ""


def _texts(values: list[object]) -> set[str]:
    return {one for one in values if isinstance(one, str)}
