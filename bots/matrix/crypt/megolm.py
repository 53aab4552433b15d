"""Messages in rooms: which key reads what, and that nothing is read twice as something else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import vodozemac

from bots.matrix.crypt.device import MEGOLM_ALGORITHM, PICKLE_KEY, Device
from bots.matrix.crypt.olm import Letter
from bots.matrix.crypt.ring import INBOUND, Ring, Value
from bots.matrix.parse import id_of

MOST_SEEN = 256  # indexes of one key that are remembered; older ones are refused
MOST_SESSION = 100  # characters of a session's id
MOST_CIPHERTEXT = 90_000  # characters; an event has at most 64 KiB

Event = Mapping[str, Any]


def name_of(room_id: str, session_id: str) -> str:
    """Return under which name the key of a room's session stands."""
    return f"{room_id} {session_id}"


def session_name(room_id: str, event: Event) -> str:
    """Return which key an encrypted event needs; "" where it is none that could be read."""
    content = event.get("content")
    if not isinstance(content, Mapping) or content.get("algorithm") != MEGOLM_ALGORITHM:
        return ""
    session_id, text = content.get("session_id"), content.get("ciphertext")
    if not isinstance(session_id, str) or not 0 < len(session_id) <= MOST_SESSION:
        return ""
    if not session_id.isprintable() or not isinstance(text, str) or len(text) > MOST_CIPHERTEXT:
        return ""
    return name_of(room_id, session_id)


def key_name_in(letter: Letter) -> str:
    """Return under which name the key in a letter will stand; "" when there is none."""
    content = letter.content
    room_id, session_id = id_of(content.get("room_id"), "!"), content.get("session_id")
    is_key_ = letter.kind == "m.room_key" and content.get("algorithm") == MEGOLM_ALGORITHM
    if not is_key_ or not room_id or not isinstance(session_id, str):
        return ""
    return name_of(room_id, session_id) if 0 < len(session_id) <= MOST_SESSION else ""


def take_key(ring: Ring, letter: Letter) -> str:
    """Keep the room key of a letter; return its name, or "" when nothing new can be read with it.

    The name has to be loaded.
    """
    name = key_name_in(letter)
    if not name:
        return ""
    try:
        session = vodozemac.InboundGroupSession(
            vodozemac.SessionKey(str(letter.content.get("session_key")))
        )
    except ValueError:
        return ""
    if name != name_of(str(letter.content["room_id"]), session.session_id):
        return ""
    facts = {"sender": letter.sender, "curve": letter.curve, "ed": letter.ed}
    return name if keep_session(ring, name, session, facts, owner=letter.sender) else ""


def keep_session(
    ring: Ring,
    name: str,
    session: vodozemac.InboundGroupSession,
    facts: Mapping[str, object],
    *,
    owner: str = "",
) -> bool:
    """Keep a room key unless a better one stands there; say whether it was kept.

    One that reaches further back replaces another only from the same sender and of the same
    ratchet: nobody takes over a session by its name.
    """
    before = ring.get(INBOUND, name)
    if before is not None:
        known = vodozemac.InboundGroupSession.from_pickle(before["pickle"], PICKLE_KEY)
        is_theirs = before["sender"] in ("", facts["sender"])
        if not is_theirs or session.first_known_index >= known.first_known_index:
            return False
        if not _is_same(session, known):
            return False
    seen = before["seen"] if before else {}
    ring.put(
        INBOUND, name, {"pickle": session.pickle(PICKLE_KEY), "seen": seen, **facts}, owner=owner
    )
    return True


def _is_same(one: vodozemac.InboundGroupSession, other: vodozemac.InboundGroupSession) -> bool:
    index = max(one.first_known_index, other.first_known_index)
    left, right = one.export_at(index), other.export_at(index)
    return left is not None and right is not None and left.to_base64() == right.to_base64()


def read_event(ring: Ring, room_id: str, event: Event) -> dict[str, Any] | None:
    """Return an event in plain, or None: its key is missing, or it is not what it says.

    Refused are an event whose sender is not who the key came from, one written for another room,
    and one whose place in the ratchet another event has taken.
    """
    name, content = session_name(room_id, event), event.get("content")
    stored = ring.get(INBOUND, name) if name else None
    if stored is None or not isinstance(content, Mapping):
        return None
    if stored["sender"] not in ("", event.get("sender")):
        return None
    try:
        session = vodozemac.InboundGroupSession.from_pickle(stored["pickle"], PICKLE_KEY)
        found = session.decrypt(vodozemac.MegolmMessage.from_base64(content["ciphertext"]))
    except ValueError:
        return None
    if not _is_first(ring, name, stored, found.message_index, str(event.get("event_id"))):
        return None
    return _plain(found.plaintext, room_id, event, content)


def _is_first(ring: Ring, name: str, stored: Value, index: int, event_id: str) -> bool:
    """Say whether an index is this event's own, and remember that it is."""
    seen: dict[str, str] = stored["seen"]
    mark = hashlib.sha256(event_id.encode()).hexdigest()[:16]
    if str(index) in seen:
        return seen[str(index)] == mark
    if len(seen) >= MOST_SEEN and index < min(map(int, seen)):
        return False
    following = {**seen, str(index): mark}
    if len(following) > MOST_SEEN:
        del following[str(min(map(int, following)))]
    ring.put(INBOUND, name, {**stored, "seen": following}, owner=stored["sender"])
    return True


def _plain(
    raw: bytes, room_id: str, event: Event, content: Mapping[str, Any]
) -> dict[str, Any] | None:
    try:
        found = json.loads(bytes(raw))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("room_id") != room_id:
        return None
    inner, kind = found.get("content"), found.get("type")
    if not isinstance(inner, dict) or not isinstance(kind, str):
        return None
    if "m.relates_to" in content and "m.relates_to" not in inner:
        inner = {**inner, "m.relates_to": content["m.relates_to"]}
    return {**event, "type": kind, "content": inner}


def facts_of_own(device: Device) -> Mapping[str, object]:
    """Return who stands behind the sessions that this device made itself."""
    return {"sender": device.user_id, "curve": device.curve(), "ed": device.ed()}
