"""What a message and a reaction come to when their changes arrive in any order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from agentapp.foundation.text import normalised

MAX_EXTERNAL_ID = 255  # characters


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of one message.

    Attributes:
        text: "" while nothing said it, and for good once it was deleted.
        is_known: The message itself has arrived, not only a change of it.
        edited_at: The platform's time of the edit that counts.
    """

    text: str = ""
    is_known: bool = False
    edited_at: datetime | None = None
    deleted_at: datetime | None = None


def arrived(said: Said, *, text: str) -> Said:
    """Take in the message itself. An edit that came first is newer than any original."""
    if said.is_known:
        return said
    return replace(said, is_known=True, text=text if takes_original(said) else said.text)


def takes_original(said: Said) -> bool:
    """Say whether the message's first text still counts."""
    return said.edited_at is None and said.deleted_at is None


def edited(said: Said, *, text: str, at: datetime) -> Said:
    """Take in an edit. The latest platform time wins; among equals the greater text.

    The second half only makes two edits of one instant come out alike in either order.
    """
    if said.edited_at is not None and (at, text) <= (said.edited_at, said.text):
        return said
    return replace(said, edited_at=at, text="" if said.deleted_at is not None else text)


def deleted(said: Said, *, at: datetime) -> Said:
    """Take in a deletion: final, whenever it comes, and the words go at once."""
    first = at if said.deleted_at is None else min(said.deleted_at, at)
    return replace(said, deleted_at=first, text="")


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether one emoji of one identity stands on a message, and since when."""

    is_present: bool
    changed_at: datetime


def reacted(shown: Shown | None, change: Shown) -> Shown:
    """Take in a change of a reaction: the latest platform time wins, among equals the removal."""
    if shown is None or change.changed_at > shown.changed_at:
        return change
    if change.changed_at == shown.changed_at and not change.is_present:
        return change
    return shown


def stored_id(external_id: str) -> str:
    """Return a platform's id as it is stored; an unusable one becomes the name of its bytes."""
    if (
        external_id
        and len(external_id) <= MAX_EXTERNAL_ID
        and normalised(external_id) == external_id
    ):
        return external_id
    digest = hashlib.sha256(external_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"sha256:{digest}"
