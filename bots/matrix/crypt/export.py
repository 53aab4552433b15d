"""Room keys as the file that Matrix apps write and read, locked by a phrase."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from typing import Any

import vodozemac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from agentapp.foundation.errors import Invalid
from agentapp.keyring.changes import KeyName, KeyText
from bots.matrix.crypt.device import MEGOLM_ALGORITHM, PICKLE_KEY
from bots.matrix.crypt.megolm import MOST_SESSION, name_of
from bots.matrix.crypt.ring import INBOUND
from bots.matrix.crypt.signing import is_key, to_bytes, to_text
from bots.matrix.parse import id_of

HEADER, FOOTER = "-----BEGIN MEGOLM SESSION DATA-----", "-----END MEGOLM SESSION DATA-----"
ROUNDS = 200_000
MOST_ROUNDS = 2_000_000  # that a file may ask for
LINE = 96  # characters
_SALT, _IV, _MAC = 16, 16, 32  # bytes
_BEFORE = 1 + _SALT + _IV + 4


class NotAnExport(Invalid):
    """This is not a file of room keys."""


class WrongPhrase(Invalid):
    """The phrase does not open this file, or the file was changed."""


def locked(data: bytes, passphrase: str, *, rounds: int) -> bytes:
    """Return data as the text of such a file."""
    salt, iv = os.urandom(_SALT), bytearray(os.urandom(_IV))
    iv[8] &= 0x7F  # some programs count in 63 bits
    aes, mac = _keys(passphrase, salt, rounds)
    body = b"\x01" + salt + bytes(iv) + rounds.to_bytes(4, "big") + _ctr(aes, bytes(iv), data)
    text = to_text(body + hmac.digest(mac, body, hashlib.sha256))
    lines = [text[start : start + LINE] for start in range(0, len(text), LINE)]
    return "\n".join([HEADER, *lines, FOOTER, ""]).encode()


def unlocked(content: bytes, passphrase: str) -> bytes:
    """Return what such a file holds.

    Raises:
        NotAnExport, WrongPhrase: See there.
    """
    text = content.decode("ascii", "replace").strip()
    if not text.startswith(HEADER) or not text.endswith(FOOTER):
        raise NotAnExport
    try:
        raw = to_bytes("".join(text.removeprefix(HEADER).removesuffix(FOOTER).split()))
    except Invalid as error:
        raise NotAnExport from error
    if len(raw) < _BEFORE + _MAC or raw[0] != 1:
        raise NotAnExport
    salt, iv = raw[1 : 1 + _SALT], raw[1 + _SALT : 1 + _SALT + _IV]
    rounds = int.from_bytes(raw[_BEFORE - 4 : _BEFORE], "big")
    if not 0 < rounds <= MOST_ROUNDS:
        raise NotAnExport
    aes, mac = _keys(passphrase, salt, rounds)
    if not hmac.compare_digest(hmac.digest(mac, raw[:-_MAC], hashlib.sha256), raw[-_MAC:]):
        raise WrongPhrase
    return _ctr(aes, iv, raw[_BEFORE:-_MAC])


def _keys(passphrase: str, salt: bytes, rounds: int) -> tuple[bytes, bytes]:
    phrase = passphrase.encode("utf-8", "replace")
    derived = hashlib.pbkdf2_hmac("sha512", phrase, salt, rounds, 64)
    return derived[:32], derived[32:]


def _ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    cipher = Cipher(algorithms.AES256(key), modes.CTR(iv)).encryptor()
    return cipher.update(data) + cipher.finalize()


def exported(keys: Mapping[KeyName, KeyText]) -> bytes:
    """Return room keys as other programs know them, each from where it is known here."""
    rows = []
    for (_, name), key in keys.items():
        value = json.loads(key.text)
        session = vodozemac.InboundGroupSession.from_pickle(value["pickle"], PICKLE_KEY)
        text = session.export_at(session.first_known_index)
        if text is None:
            continue
        rows.append(
            {
                "algorithm": MEGOLM_ALGORITHM,
                "room_id": name.partition(" ")[0],
                "sender_key": value["curve"],
                "sender_claimed_keys": {"ed25519": value["ed"]},
                "session_id": session.session_id,
                "session_key": text.to_base64(),
                "forwarding_curve25519_key_chain": [],
            }
        )
    return json.dumps(rows).encode()


def imported(data: bytes, known: Mapping[KeyName, KeyText]) -> dict[KeyName, KeyText]:
    """Return those room keys of a file that are new, or reach further back than what is known.

    Whose they are is their owner's word: messages read with them are not checked for it.

    Raises:
        NotAnExport: It is no list of room keys.
    """
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotAnExport from error
    if not isinstance(rows, list):
        raise NotAnExport
    found: dict[KeyName, KeyText] = {}
    for row in rows:
        session = _session_of(row) if isinstance(row, dict) else None
        if session is None:
            continue
        name = (INBOUND, name_of(row["room_id"], session.session_id))
        before = known.get(name)
        if before is not None and not _is_better(session, before):
            continue
        keep = json.loads(before.text) if before else _facts(row)
        value = {**keep, "pickle": session.pickle(PICKLE_KEY)}
        found[name] = KeyText(json.dumps(value), before.owner if before else "")
    return found


def _session_of(row: dict[str, Any]) -> vodozemac.InboundGroupSession | None:
    session_id, key = row.get("session_id"), row.get("session_key")
    is_whole = id_of(row.get("room_id"), "!") and row.get("algorithm") == MEGOLM_ALGORITHM
    if not is_whole or not isinstance(key, str) or not isinstance(session_id, str):
        return None
    try:
        session = vodozemac.InboundGroupSession.import_session(vodozemac.ExportedSessionKey(key))
    except ValueError:
        return None
    is_itself = session.session_id == session_id and len(session_id) <= MOST_SESSION
    return session if is_itself else None


def _facts(row: dict[str, Any]) -> dict[str, object]:
    claimed = row.get("sender_claimed_keys")
    ed = claimed.get("ed25519") if isinstance(claimed, dict) else ""
    curve = row.get("sender_key")
    return {
        "sender": "",
        "curve": curve if is_key(curve) else "",
        "ed": ed if is_key(ed) else "",
        "seen": {},
    }


def _is_better(session: vodozemac.InboundGroupSession, before: KeyText) -> bool:
    """Say whether a session is the same ratchet as a known one, from an earlier place on."""
    value = json.loads(before.text)
    known = vodozemac.InboundGroupSession.from_pickle(value["pickle"], PICKLE_KEY)
    here, there = (
        known.export_at(known.first_known_index),
        session.export_at(known.first_known_index),
    )
    is_same = here is not None and there is not None and here.to_base64() == there.to_base64()
    return is_same and session.first_known_index < known.first_known_index
