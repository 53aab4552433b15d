"""Sealed secrets: authenticated encryption bound to one table, row and column."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from agentapp.foundation.errors import AgentError

NONCE_BYTES = 12
KEY_BYTES = 32


class SecretUnreadable(AgentError):
    """A stored secret cannot be opened: its key is missing or the row was changed."""


class KeysMissing(AgentError):
    """No GREENROOM_KEYS are set, so secrets can be neither stored nor read."""


def _keys() -> dict[str, bytes]:
    """Read `id:base64,id:base64`; the first seals, all of them open."""
    keys: dict[str, bytes] = {}
    for item in filter(None, settings.GREENROOM_KEYS.split(",")):
        key_id, _, encoded = item.strip().partition(":")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise KeysMissing(f"GREENROOM_KEYS: {key_id!r} is not base64.") from error
        if len(raw) != KEY_BYTES:
            raise KeysMissing(f"GREENROOM_KEYS: {key_id!r} must be {KEY_BYTES} bytes long.")
        keys[key_id] = raw
    if not keys:
        raise KeysMissing
    return keys


def seal(*, table: str, pk: object, column: str, text: str) -> str:
    """Encrypt a secret for exactly one place; moved elsewhere it no longer opens."""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), _place(table, pk, column))
    return f"{key_id}.{base64.b64encode(nonce + sealed).decode()}"


def unseal(*, table: str, pk: object, column: str, sealed: str) -> str:
    """Decrypt a secret of exactly this place.

    Raises:
        SecretUnreadable: Unknown key, changed text, or sealed for another place.
    """
    key_id, _, encoded = sealed.partition(".")
    key = _keys().get(key_id)
    if key is None:
        raise SecretUnreadable
    try:
        raw = base64.b64decode(encoded)
        opened = AESGCM(key).decrypt(
            raw[:NONCE_BYTES], raw[NONCE_BYTES:], _place(table, pk, column)
        )
    except (InvalidTag, ValueError) as error:
        raise SecretUnreadable from error
    return opened.decode()


def marks(text: str) -> list[str]:
    """Return what tells equal secrets from different ones: keyed hashes, the sealing key's first.

    Without the keys nobody can find out whether a guess is right. There is one for each key, so
    that what was marked under an earlier one is known again.
    """
    return [
        f"{key_id}:{hmac.new(_marking(key), text.encode(), hashlib.sha256).hexdigest()}"
        for key_id, key in _keys().items()
    ]


def _marking(key: bytes) -> bytes:
    """Derive from a sealing key the one that marks; neither tells the other."""
    return hmac.new(key, b"greenroom: marks of secrets", hashlib.sha256).digest()


def digest(token: str) -> str:
    """Hash a random token for storage; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _place(table: str, pk: object, column: str) -> bytes:
    return f"{table}:{pk}:{column}".encode()
