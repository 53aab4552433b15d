"""What a homeserver shows, as shapes of ours. Pure; no field is trusted to be of its type.

An event that is not understood, or not whole, is None and nobody's trouble.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from urllib.parse import unquote

from agentapp.foundation.envelope import (
    Author,
    AuthorKind,
    Incoming,
    IncomingEdit,
    IncomingReaction,
    Place,
)
from bots.matrix.files import FILES, caption_of, described, files_of
from bots.matrix.viewing import Viewer

PLATFORM = "matrix"
MAX_ID = 255  # characters of an id
MAX_MENTIONS = 50
MAX_BODY = 100_000  # characters; an event has at most 64 KiB
MAX_KEY = 64  # characters of a reaction
_LAST_MS = 4_102_444_800_000  # the year 2100

_FALLBACK = re.compile(r"\A(?:> ?<@|> ?\* <@)[^\n]*\n(?:>[^\n]*\n)*\n?")
_PILL = re.compile(r"https://matrix\.to/#/(@[^\"'?#<>\s]{1,300}|%40[^\"'?#<>\s]{1,300})")

Event = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Said:
    """A message. `is_notice`: a program's remark, which is never answered."""

    incoming: Incoming
    is_notice: bool
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """Somebody's new text for a message; only its author's counts."""

    edit: IncomingEdit
    by: str


@dataclass(frozen=True, slots=True)
class Reacted:
    """An emoji on a message, and the event that a removal will name."""

    reaction: IncomingReaction
    event_id: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Something was removed: a message, a reaction, an edit; the event does not say which."""

    place: Place
    target: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something encrypted."""

    event_id: str


Parsed = Said | Changed | Reacted | TakenBack | Unreadable


def parse_event(
    event: object, *, viewer: Viewer, place: Place, names: Mapping[str, str]
) -> Parsed | None:
    """Return what one timeline event means.

    Args:
        names: What the room calls its members, by user id.
    """
    if not isinstance(event, Mapping) or "state_key" in event:
        return None
    event_id, sender = id_of(event.get("event_id"), "$"), user_of(event.get("sender"))
    content = event.get("content")
    if not event_id or not sender or not isinstance(content, Mapping):
        return None
    author = Author(external_id=sender, name=names.get(sender) or short_name(sender))
    return _by_type(event, content, event_id, author, viewer, place)


def _by_type(
    event: Event, content: Event, event_id: str, author: Author, viewer: Viewer, place: Place
) -> Parsed | None:
    at = time_of(event.get("origin_server_ts"))
    match event.get("type"):
        case "m.room.message" | "m.sticker":
            return _message(event, content, event_id, author, at, viewer, place)
        case "m.reaction":
            return _reaction(content, event_id, author, at, viewer, place)
        case "m.room.redaction":
            # Newer rooms name the target in the content.
            target = id_of(event.get("redacts"), "$") or id_of(content.get("redacts"), "$")
            return TakenBack(place, target, at) if target else None
        case "m.room.encrypted":
            return Unreadable(event_id)
    return None


def _message(
    event: Event,
    content: Event,
    event_id: str,
    author: Author,
    at: datetime | None,
    viewer: Viewer,
    place: Place,
) -> Said | Changed | None:
    relation = content.get("m.relates_to")
    relation = relation if isinstance(relation, Mapping) else {}
    if relation.get("rel_type") == "m.replace":
        return _edit(content, relation, author, at, viewer, place)
    thread = id_of(relation.get("event_id"), "$") if relation.get("rel_type") == "m.thread" else ""
    answered = _answered(relation, thread)
    is_sticker = event.get("type") == "m.sticker"
    text = text_of(content, is_sticker=is_sticker, is_reply=bool(answered))
    files = () if is_sticker else files_of(content)
    if (not text.strip() and not files) or _is_between_apps(content):
        return None
    is_notice = content.get("msgtype") == "m.notice"
    if is_notice:
        # Kept for who is new here; a known handle stays what it is.
        author = Author(author.external_id, author.name, AuthorKind.BOT)
    incoming = Incoming(
        workspace_id=viewer.workspace_id,
        platform=PLATFORM,
        place=place,
        external_id=event_id,
        author=author,
        text=text,
        reply_to=answered,
        mentions=mentions_of(content, own=viewer.own()),
        sent_at=at,
        files=files,
    )
    return Said(incoming, is_notice, thread)


def _is_between_apps(content: Event) -> bool:
    """Say whether a message is one app's word to another, such as a wish to compare keys."""
    kind = content.get("msgtype")
    return isinstance(kind, str) and kind.startswith("m.key.verification.")


def _answered(relation: Event, thread: str) -> str:
    """Return the answered event. In a thread without a real answer that is the thread's root.

    So whoever goes on in a thread that an agent began is answering that agent.
    """
    reply = relation.get("m.in_reply_to")
    target = id_of(reply.get("event_id"), "$") if isinstance(reply, Mapping) else ""
    if thread and (relation.get("is_falling_back") is True or not target):
        return thread
    return target


def thread_in_clear(event: Event) -> str:
    """Return the thread that an encrypted event stands in, which it shows; "" for none."""
    content = event.get("content")
    relation = content.get("m.relates_to") if isinstance(content, Mapping) else None
    if not isinstance(relation, Mapping) or relation.get("rel_type") != "m.thread":
        return ""
    return id_of(relation.get("event_id"), "$")


def _edit(
    content: Event,
    relation: Event,
    author: Author,
    at: datetime | None,
    viewer: Viewer,
    place: Place,
) -> Changed | None:
    target = id_of(relation.get("event_id"), "$")
    new = content.get("m.new_content")
    text = text_of(new, is_reply=False) if isinstance(new, Mapping) else ""
    if not target or not text.strip():
        return None
    edit = IncomingEdit(
        workspace_id=viewer.workspace_id,
        platform=PLATFORM,
        place=place,
        external_id=target,
        text=text,
        changed_at=at,
    )
    return Changed(edit, author.external_id)


def _reaction(
    content: Event,
    event_id: str,
    author: Author,
    at: datetime | None,
    viewer: Viewer,
    place: Place,
) -> Reacted | None:
    relation = content.get("m.relates_to")
    if not isinstance(relation, Mapping) or relation.get("rel_type") != "m.annotation":
        return None
    target, key = id_of(relation.get("event_id"), "$"), relation.get("key")
    if not target or not isinstance(key, str) or not key.strip():
        return None
    reaction = IncomingReaction(
        workspace_id=viewer.workspace_id,
        platform=PLATFORM,
        place=place,
        message_external_id=target,
        author=author,
        emoji=key[:MAX_KEY],
        changed_at=at,
    )
    return Reacted(reaction, event_id)


def text_of(content: Event, *, is_reply: bool, is_sticker: bool = False) -> str:
    """Return what a message says in words; of a file what is written under it."""
    body = content.get("body")
    body = body[:MAX_BODY] if isinstance(body, str) else ""
    kind = "m.sticker" if is_sticker else content.get("msgtype")
    if not isinstance(kind, str):
        return body
    if kind in {"m.text", "m.notice"}:
        return _FALLBACK.sub("", body, count=1) if is_reply else body
    if kind == "m.emote":
        return f"* {body}"
    if kind in {"m.sticker", "m.location"}:
        what = "sticker" if kind == "m.sticker" else "place"
        return f"[{', '.join([f'{what}: {body[:200]}', *described(content.get('info'))])}]"
    return caption_of(content, body) if kind in FILES else body


def mentions_of(content: Event, *, own: Collection[str]) -> tuple[str, ...]:
    """Return the user ids that a message names.

    What it says in `m.mentions` decides. Only clients that do not say it are read for links to
    users, and for one's own ids.
    """
    said = content.get("m.mentions")
    if isinstance(said, Mapping):
        listed = said.get("user_ids")
        found = [user_of(one) for one in listed[:1000]] if isinstance(listed, list) else []
    else:
        html, body = content.get("formatted_body"), content.get("body")
        pills = _PILL.findall(html[:MAX_BODY]) if isinstance(html, str) else []
        found = [user_of(unquote(unescape(pill))) for pill in pills]
        words = body[:MAX_BODY] if isinstance(body, str) else ""
        found += [one for one in own if one in words]
    return tuple(dict.fromkeys(filter(None, found)))[:MAX_MENTIONS]


def id_of(value: object, sigil: str) -> str:
    """Return an id that starts as it has to, or "". What follows is opaque."""
    if not isinstance(value, str) or not value.startswith(sigil):
        return ""
    return value if 1 < len(value) <= MAX_ID and value.isprintable() else ""


def user_of(value: object) -> str:
    """Return a user id, or ""."""
    user_id = id_of(value, "@")
    return user_id if ":" in user_id else ""


def short_name(user_id: str) -> str:
    """Return a user id's own part, for somebody without a name."""
    return user_id[1:].partition(":")[0] or user_id


def time_of(value: object) -> datetime | None:
    """Return a homeserver's time, or None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _LAST_MS:
        return None
    return datetime.fromtimestamp(value / 1000, tz=UTC)
