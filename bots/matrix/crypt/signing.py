"""Bytes that are signed, and signatures of devices and of identities. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping

import vodozemac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentapp.foundation.errors import Invalid

KEY_TEXT = 43  # characters of a public key

Sign = Callable[[bytes], str]


class NotSigned(Invalid):
    """This is not signed by who it has to be signed by."""


def to_text(raw: bytes) -> str:
    """Return bytes as Matrix writes them: base64 without padding."""
    return base64.b64encode(raw).decode().rstrip("=")


def to_bytes(text: object) -> bytes:
    """Return the bytes of such a text; with padding or in the other alphabet it counts as well.

    Raises:
        Invalid: It is none.
    """
    if not isinstance(text, str):
        raise Invalid
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid from error


def canonical(value: Mapping[str, object]) -> bytes:
    """Return the bytes of an object that its signatures are over.

    Raises:
        Invalid: It holds what no such bytes exist for.
    """
    plain = {key: part for key, part in value.items() if key not in {"signatures", "unsigned"}}
    try:
        return json.dumps(
            plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid from error


def signed(
    value: Mapping[str, object], *, user_id: str, key_id: str, sign: Sign
) -> dict[str, object]:
    """Return an object with one more signature of somebody's Ed25519 key."""
    before = value.get("signatures")
    before = before if isinstance(before, Mapping) else {}
    own = before.get(user_id)
    own = own if isinstance(own, Mapping) else {}
    signatures = {**before, user_id: {**own, f"ed25519:{key_id}": sign(canonical(value))}}
    return {**value, "signatures": signatures}


def require_signature(value: Mapping[str, object], *, user_id: str, key_id: str, key: str) -> None:
    """Return if an object bears a signature of this key.

    Raises:
        NotSigned: It does not.
    """
    signatures = value.get("signatures")
    own = signatures.get(user_id) if isinstance(signatures, Mapping) else None
    text = own.get(f"ed25519:{key_id}") if isinstance(own, Mapping) else None
    if not isinstance(text, str):
        raise NotSigned
    try:
        vodozemac.Ed25519PublicKey.from_base64(key).verify_signature(
            canonical(value), vodozemac.Ed25519Signature.from_base64(text)
        )
    except (ValueError, Invalid) as error:
        raise NotSigned from error


def seed_of(key: Ed25519PrivateKey) -> str:
    """Return a private key's 32 bytes as text."""
    return to_text(key.private_bytes_raw())


def key_of(seed: str) -> Ed25519PrivateKey:
    """Return the private key of such a text."""
    return Ed25519PrivateKey.from_private_bytes(to_bytes(seed))


def public_of(key: Ed25519PrivateKey) -> str:
    """Return the public half of a key as text."""
    return to_text(key.public_key().public_bytes_raw())


def signer(key: Ed25519PrivateKey) -> Sign:
    """Return what signs with a key."""
    return lambda raw: to_text(key.sign(raw))


def is_key(value: object) -> bool:
    """Say whether something can be a public key."""
    return isinstance(value, str) and len(value) == KEY_TEXT and value.isascii()
