"""Files of encrypted rooms: locked before they are laid down, checked before they are opened."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from agentapp.foundation.errors import Invalid, Refused
from bots.matrix.crypt.signing import to_bytes, to_text

KEY_BYTES, IV_BYTES, HASH_BYTES = 32, 16, 32
MOST_TEXT = 600  # characters of all of it


class FileChanged(Refused):
    """The file is not the one that the message speaks of."""


@dataclass(frozen=True, slots=True)
class LockedFile:
    """Where a locked file lies, and what opens it."""

    url: str
    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    sha256: bytes

    def packed(self) -> str:
        """Return it as one line of text."""
        return json.dumps(
            {
                "url": self.url,
                "key": to_text(self.key),
                "iv": to_text(self.iv),
                "sha256": to_text(self.sha256),
            },
            separators=(",", ":"),
        )

    def shown(self) -> dict[str, object]:
        """Return it as an event shows it to those who can read that."""
        key = to_text(self.key).replace("+", "-").replace("/", "_")
        return {
            "v": "v2",
            "url": self.url,
            "key": {
                "kty": "oct",
                "alg": "A256CTR",
                "ext": True,
                "k": key,
                "key_ops": ["encrypt", "decrypt"],
            },
            "iv": to_text(self.iv),
            "hashes": {"sha256": to_text(self.sha256)},
        }

    def opened(self, content: bytes) -> bytes:
        """Return what was locked.

        Raises:
            FileChanged: It is something else.
        """
        if not hmac.compare_digest(hashlib.sha256(content).digest(), self.sha256):
            raise FileChanged
        return _ctr(self.key, self.iv, content)


def lock(content: bytes) -> tuple[bytes, LockedFile]:
    """Return a file locked with a fresh key, and what opens it; it lies nowhere yet."""
    key, iv = os.urandom(KEY_BYTES), os.urandom(8) + bytes(8)
    locked = _ctr(key, iv, content)
    return locked, LockedFile("", key, iv, hashlib.sha256(locked).digest())


def locked_in(file: object) -> LockedFile | None:
    """Return the locked file that an event shows, or None when it is not whole."""
    if not isinstance(file, Mapping):
        return None
    key, hashes, url = file.get("key"), file.get("hashes"), file.get("url")
    if not isinstance(key, Mapping) or not isinstance(hashes, Mapping):
        return None
    return _whole(url, key.get("k"), file.get("iv"), hashes.get("sha256"))


def unpacked(text: str) -> LockedFile | None:
    """Return the locked file of such a text, or None when it is a plain address."""
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return _whole(found.get("url"), found.get("key"), found.get("iv"), found.get("sha256"))


def _whole(url: object, key: object, iv: object, sha256: object) -> LockedFile | None:
    if not isinstance(url, str) or not url.startswith("mxc://"):
        return None
    try:
        found = LockedFile(url, to_bytes(key), to_bytes(iv), to_bytes(sha256))
    except Invalid:
        return None
    sizes = (len(found.key), len(found.iv), len(found.sha256))
    is_whole = sizes == (KEY_BYTES, IV_BYTES, HASH_BYTES) and len(found.packed()) <= MOST_TEXT
    return found if is_whole else None


def _ctr(key: bytes, iv: bytes, content: bytes) -> bytes:
    cipher = Cipher(algorithms.AES256(key), modes.CTR(iv)).encryptor()
    return cipher.update(content) + cipher.finalize()
