"""This device's own keys: what of them is shown to the homeserver, and one-time keys."""

from __future__ import annotations

from collections.abc import Mapping

import vodozemac

from bots.matrix.crypt.ring import ACCOUNT, Ring, Value
from bots.matrix.crypt.signing import signed

OLM_ALGORITHM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM_ALGORITHM = "m.megolm.v1.aes-sha2"
# Rows are sealed as a whole; what the library wants a key for needs no second one.
PICKLE_KEY = bytes(32)


MOST_KEYS = 50  # one-time keys that the homeserver has of this device


def last_resort(account: vodozemac.Account) -> dict[str, vodozemac.Curve25519PublicKey]:
    """Return the key that is given out when one-time keys are used up, while it is not shown."""
    found: dict[str, vodozemac.Curve25519PublicKey]
    found = account.fallback_key  # type: ignore[attr-defined]
    return found


def packed(account: vodozemac.Account) -> str:
    """Return a device's keys as text, to be sealed."""
    return account.pickle(PICKLE_KEY)


class Device:
    """One device of one user, and the keys that make it that device.

    Args:
        ring: Where they are; `ACCOUNT` has to be loaded before anything is asked.
    """

    def __init__(self, *, ring: Ring, user_id: str) -> None:
        self.ring = ring
        self.user_id = user_id

    @property
    def device_id(self) -> str:
        """Return its name on the homeserver."""
        return self.ring.device

    def account(self) -> vodozemac.Account:
        """Return the keys; a change of them has to be kept with `keep`."""
        return vodozemac.Account.from_pickle(self._stored()["pickle"], PICKLE_KEY)

    def keep(self, account: vodozemac.Account, **facts: object) -> None:
        """Note changed keys."""
        self.ring.put(ACCOUNT, "", {**self._stored(), "pickle": packed(account), **facts})

    def _stored(self) -> Value:
        return self.ring.get(ACCOUNT) or {}

    def curve(self) -> str:
        """Return the key that others write to this device with."""
        return str(self._stored()["curve25519"])

    def ed(self) -> str:
        """Return the key that this device signs with: its fingerprint."""
        return str(self._stored()["ed25519"])

    def make_keys(self, counts: object, unused: object) -> bool:
        """Make one-time keys where the homeserver has too few; say whether there are any to show.

        Args:
            counts: How many the homeserver has, as a sync says; None when it did not.
            unused: The kinds of which its key of last resort is unused; None when it did not say.
        """
        account = self.account()
        waiting = len(account.one_time_keys)
        has = counts.get("signed_curve25519", 0) if isinstance(counts, Mapping) else None
        is_low = isinstance(has, int) and 0 <= has < MOST_KEYS // 2
        is_spent = isinstance(unused, list) and "signed_curve25519" not in unused
        if is_low and isinstance(has, int):
            account.generate_one_time_keys(max(MOST_KEYS - has - waiting, 0))
        if is_spent and not last_resort(account):
            account.generate_fallback_key()  # type: ignore[attr-defined]
        if is_low or is_spent:
            self.keep(account)
        return bool(account.one_time_keys or last_resort(account))

    def keys_to_show(self) -> dict[str, object]:
        """Return what `/keys/upload` takes: keys that the homeserver does not have yet."""
        account = self.account()
        return upload_of(account, user_id=self.user_id, device_id=self.device_id)

    def shown(self) -> None:
        """Note that the homeserver has them."""
        account = self.account()
        account.mark_keys_as_published()
        self.keep(account)


def upload_of(
    account: vodozemac.Account, *, user_id: str, device_id: str, is_new: bool = False
) -> dict[str, object]:
    """Return one-time keys, the key of last resort and, of a new device, its own keys, signed."""

    def sign(raw: bytes) -> str:
        return account.sign(raw).to_base64()

    def each(key: vodozemac.Curve25519PublicKey, **facts: object) -> dict[str, object]:
        value = {"key": key.to_base64(), **facts}
        return signed(value, user_id=user_id, key_id=device_id, sign=sign)

    body: dict[str, object] = {
        "one_time_keys": {
            f"signed_curve25519:{name}": each(key) for name, key in account.one_time_keys.items()
        },
        "fallback_keys": {
            f"signed_curve25519:{name}": each(key, fallback=True)
            for name, key in last_resort(account).items()
        },
    }
    if is_new:
        own = device_keys(account, user_id=user_id, device_id=device_id)
        body["device_keys"] = signed(own, user_id=user_id, key_id=device_id, sign=sign)
    return body


def device_keys(account: vodozemac.Account, *, user_id: str, device_id: str) -> dict[str, object]:
    """Return the public keys of a device as others see them, unsigned."""
    return {
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": [OLM_ALGORITHM, MEGOLM_ALGORITHM],
        "keys": {
            f"curve25519:{device_id}": account.curve25519_key.to_base64(),
            f"ed25519:{device_id}": account.ed25519_key.to_base64(),
        },
    }
